//! Requests and failures of a sliding window, in one counter per fixed window,
//! so that one addition notes a request and tells both numbers.

use crate::config::FailureRate;

/// One request, in the upper half of a counter.
const REQUEST: i64 = 1 << 32;

/// What was counted in one fixed window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that said something of the service.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

impl Tally {
    /// What to add to the counter for one request.
    pub fn delta(failed: bool) -> i64 {
        REQUEST + i64::from(failed)
    }

    /// What a counter says; none: nothing yet.
    pub fn unpack(value: Option<i64>) -> Self {
        let bits = value.unwrap_or(0).cast_unsigned();
        Self {
            requests: bits >> 32,
            failures: bits & 0xffff_ffff,
        }
    }
}

/// The number of the fixed window that this moment is in, and the milliseconds
/// that have passed of it.
pub fn window(now_ms: u64, window_ms: u64) -> (u64, u64) {
    (now_ms / window_ms, now_ms % window_ms)
}

impl FailureRate {
    /// True if the failures among the requests of the last window are as many as
    /// opens: those of the fixed window that runs, and of the one before it the
    /// share that the sliding window still covers.
    pub fn is_reached(
        self,
        current: Tally,
        previous: Tally,
        elapsed_ms: u64,
        window_ms: u64,
    ) -> bool {
        let covered = u128::from(window_ms - elapsed_ms.min(window_ms));
        let whole = u128::from(window_ms);
        let slide = |now: u64, before: u64| u128::from(now) * whole + u128::from(before) * covered;
        let requests = slide(current.requests, previous.requests);
        let failures = slide(current.failures, previous.failures);
        requests >= u128::from(self.minimum_requests) * whole
            && failures * 100 >= requests * u128::from(self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(requests: u64, failures: u64) -> Tally {
        Tally { requests, failures }
    }

    #[test]
    fn a_counter_holds_both_numbers() {
        let sum = Tally::delta(true) + Tally::delta(false) + Tally::delta(true);
        assert_eq!(Tally::unpack(Some(sum)), tally(3, 2));
        assert_eq!(Tally::unpack(None), tally(0, 0));
    }

    #[test]
    fn the_rate_is_of_the_sliding_window() {
        let rate = FailureRate {
            percent: 50,
            minimum_requests: 10,
        };
        for (current, previous, elapsed, expected) in [
            (tally(9, 9), tally(0, 0), 500, false),
            (tally(10, 5), tally(0, 0), 500, true),
            (tally(10, 4), tally(0, 0), 500, false),
            // Half of the window before is still covered: 5 of 10 and 5 of 5.
            (tally(5, 5), tally(10, 0), 500, true),
            (tally(5, 5), tally(10, 0), 400, false),
            // At its end nothing of the window before is covered.
            (tally(10, 5), tally(1_000, 0), 1_000, true),
            (tally(1, 1), tally(9, 9), 1, false),
        ] {
            let reached = rate.is_reached(current, previous, elapsed, 1_000);
            assert_eq!(reached, expected, "{current:?} {previous:?} {elapsed}");
        }
    }

    #[test]
    fn windows_follow_the_clock() {
        assert_eq!(window(25_250, 10_000), (2, 5_250));
        assert_eq!(window(30_000, 10_000), (3, 0));
    }
}
