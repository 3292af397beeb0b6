//! How long to wait before a retry: exponential, with full jitter, so that
//! clients that failed together do not come back together.

use std::time::Duration;

use crate::config;

/// Waiting times between the tries of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// The time before a retry: evenly spread from nothing up to
    /// `base × 2^retry`, at most `max`. `retry` is 0 for the first retry;
    /// `random` is any number, each as likely as the other.
    pub fn delay(&self, retry: u32, random: u32) -> Duration {
        let factor = 1_u32.checked_shl(retry).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(factor).min(self.max);
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

impl From<config::Backoff> for Backoff {
    fn from(config: config::Backoff) -> Self {
        Self {
            base: config.base,
            max: config.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_and_spreads_evenly() {
        let backoff = Backoff {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        };
        let bounds = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|n| backoff.delay(n, u32::MAX));
        let expected = [25, 50, 100, 200, 250, 250, 250, 250].map(Duration::from_millis);
        assert_eq!(bounds, expected);
        assert_eq!(backoff.delay(3, 0), Duration::ZERO);
        let half = backoff.delay(3, u32::MAX / 2);
        assert!(half.abs_diff(Duration::from_millis(100)) < Duration::from_micros(1));
    }
}
