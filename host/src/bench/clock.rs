//! The clocks that are measured with, and what they cost themselves.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far.
pub(super) fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// A duration in nanoseconds, saturating.
#[inline]
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What one reading of the clock takes, in nanoseconds: each call that is timed
/// holds one. The least of several attempts, since others only add.
pub(super) fn reading() -> f64 {
    const READINGS: u32 = 1_000;
    let attempt = || {
        let started = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        nanos(started.elapsed())
    };
    let least = (0..20).map(|_| attempt()).min().unwrap_or_default();
    least as f64 / f64::from(READINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time() {
        let before = processor();
        let mut rounds = 0_u64;
        while processor() - before < Duration::from_millis(1) {
            rounds = black_box(rounds) + 1;
            assert!(rounds < 100_000_000, "the clock stands");
        }
        assert!(reading() > 0.0);
    }
}
