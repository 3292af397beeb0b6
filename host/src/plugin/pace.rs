//! How long a call that may wait has computed, its waiting left out.
//!
//! Such a call is a future, and it computes only while it is polled. Who polls
//! it notes when; the callback of the epoch, which is reached in the midst of
//! it, reads here whether that was long enough. A poll lasts until the epoch
//! ticks, so it counts for one tick at most: one that took longer did not
//! compute, but had to wait for a processor.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::ticker::TICK;

/// The time of one call. Written and read by one thread at a time.
#[derive(Debug)]
pub(super) struct Pace {
    origin: Instant,
    /// The longest it may compute.
    most: Duration,
    /// When the current poll began, in nanoseconds after the origin.
    began: AtomicU64,
    /// What earlier polls took, in nanoseconds.
    spent: AtomicU64,
}

impl Pace {
    /// A call that begins now.
    pub(super) fn new(most: Duration) -> Self {
        Self {
            origin: Instant::now(),
            most,
            began: AtomicU64::new(0),
            spent: AtomicU64::new(0),
        }
    }

    /// A poll begins.
    pub(super) fn enter(&self) {
        self.began.store(self.now(), Relaxed);
    }

    /// It has ended.
    pub(super) fn leave(&self) {
        self.spent.fetch_add(self.slice(), Relaxed);
    }

    /// How long the current poll has taken so far, to be asked while it runs.
    pub(super) fn current(&self) -> Duration {
        Duration::from_nanos(self.slice())
    }

    /// True if the call has computed for longer than it may.
    pub(super) fn is_over(&self) -> bool {
        let spent = self.spent.load(Relaxed).saturating_add(self.slice());
        Duration::from_nanos(spent) >= self.most
    }

    fn slice(&self) -> u64 {
        let taken = self.now().saturating_sub(self.began.load(Relaxed));
        taken.min(nanos(TICK))
    }

    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
