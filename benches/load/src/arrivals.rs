//! When requests become due: a Poisson process, the arrivals of many clients
//! that know nothing of each other. The same ones each time, so that every
//! gateway gets the same bursts.

use std::time::Duration;

/// Moments since the beginning, in order, without end.
pub(crate) struct Arrivals {
    seconds: f64,
    mean_gap: f64,
    random: u64,
}

impl Arrivals {
    /// Arrivals at a rate per second, which must be above 0.
    pub(crate) fn at(rate: f64) -> Self {
        Self {
            seconds: 0.0,
            mean_gap: 1.0 / rate,
            random: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// Evenly distributed above 0 and up to 1, by xorshift.
    fn dice(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.seconds -= self.dice().ln() * self.mean_gap;
        Duration::try_from_secs_f64(self.seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_to_the_rate_and_come_in_bursts() {
        let arrivals: Vec<_> = Arrivals::at(2000.0)
            .take_while(|after| after.as_secs() < 10)
            .collect();
        assert!((arrivals.len() as f64 / 20_000.0 - 1.0).abs() < 0.03);
        // Of gaps without memory 1 - 1/e are shorter than the mean.
        let mean = Duration::from_micros(500);
        let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        let short = gaps.filter(|gap| *gap < mean).count() as f64;
        assert!((short / arrivals.len() as f64 - 0.632).abs() < 0.02);
    }
}
