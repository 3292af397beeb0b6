//! The time that state lives by.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A point in time: nanoseconds since the Unix epoch, up to the year 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last point in time there is. Its top bit is free, on which the
    /// packing of entries relies.
    pub const LAST: Self = Self(i64::MAX as u64);

    /// That many nanoseconds after the Unix epoch, at most [`Self::LAST`].
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos.min(Self::LAST.0))
    }

    /// Nanoseconds since the Unix epoch.
    pub fn as_nanos(self) -> u64 {
        self.0
    }

    /// This long after; [`Self::LAST`] if that is out of range.
    pub fn after(self, time: Duration) -> Self {
        Self::from_nanos(self.0.saturating_add(nanos(time)))
    }
}

/// A duration in nanoseconds, saturating.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that never runs backwards. Cheap to clone; clones agree.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { start: Instant, at_start: Timestamp },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock, set once, here, to the time of day: a
    /// later step of the time of day neither frees nor locks out anybody.
    pub fn system() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(Source::System {
            start: Instant::now(),
            at_start: Timestamp::from_nanos(nanos(since_epoch)),
        })
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { start, at_start } => at_start.after(start.elapsed()),
            Source::Manual(nanos) => Timestamp::from_nanos(nanos.load(Ordering::Acquire)),
        }
    }
}

/// A clock for tests, which stands until it is advanced.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.as_nanos())))
    }

    /// The clock to hand to what is tested.
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.0)))
    }

    /// Moves it forward.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(nanos(time), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_shows_the_time_of_day_and_never_runs_backwards() {
        let clock = Clock::system();
        let of_day = nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second);
        assert!(of_day.abs_diff(first.as_nanos()) < 1_000_000_000);
    }

    #[test]
    fn time_saturates() {
        assert_eq!(Timestamp::LAST.after(Duration::MAX), Timestamp::LAST);
        assert_eq!(Timestamp::from_nanos(u64::MAX), Timestamp::LAST);
    }
}
