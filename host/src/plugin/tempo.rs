//! Whether a plugin takes long: then its calls are made aside, and not by the
//! worker, which has nobody else to serve its connections.
//!
//! Found out by the epoch: a call that is at work when it ticks is looked at, and
//! again at the next tick. Processor time is what counts, so that a plugin is not
//! taken for slow because its thread had to wait. What is never at work when the
//! epoch ticks is quick. How long an instance takes that is made for a call is
//! measured.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use cpu_time::ThreadTime;

/// Processor time of a call that is too long for a worker.
pub(super) const LONG: Duration = Duration::from_millis(1);

/// Calls in a row that have to be quick before a worker makes them again: a
/// plugin that one request in a hundred makes slow stays aside.
const QUICK_AGAIN: u32 = 1_000;

/// Instances made for a call, among which a second that takes long to make says
/// that all do. One alone may be the system's: it gives memory in the meantime,
/// and counts what it takes away from a virtual machine as used.
const AMONG: u32 = 1_000;

/// Whether one use of a plugin takes long. Shared by all workers.
#[derive(Debug, Default)]
pub struct Tempo {
    /// Quick calls that are left until it counts as quick; none: it does.
    left: AtomicU32,
    /// Instances that may be made before one that took long is forgotten.
    suspected: AtomicU32,
}

impl Tempo {
    /// Whether its calls are to be made aside. One relaxed load.
    #[inline]
    pub fn is_slow(&self) -> bool {
        self.left.load(Relaxed) > 0
    }

    /// A call of this plugin has taken long.
    #[cold]
    pub(super) fn slow(&self, plugin: &str) {
        if self.left.swap(QUICK_AGAIN, Relaxed) == 0 {
            tracing::warn!(
                plugin,
                "takes long: others come first from now on, its calls are made aside"
            );
        }
    }

    /// A call that was made aside was quick.
    fn quick(&self, plugin: &str) {
        let one_less = |left: u32| left.checked_sub(1);
        if self.left.fetch_update(Relaxed, Relaxed, one_less) == Ok(1) {
            tracing::info!(plugin, "is quick again, its calls are made as any other's");
        }
    }

    /// Makes an instance for a call of a plugin, and notes if that takes long.
    pub(super) fn making<T>(&self, plugin: &str, make: impl FnOnce() -> T) -> T {
        let before = processor_time();
        let made = make();
        let long = processor_time().saturating_sub(before) >= LONG;
        self.made(plugin, long);
        made
    }

    /// An instance was made for a call.
    fn made(&self, plugin: &str, long: bool) {
        // Two workers at the same moment may lose a count: it is no exact one.
        let suspected = self.suspected.load(Relaxed);
        if long {
            self.suspected.store(AMONG, Relaxed);
            if suspected > 0 {
                self.slow(plugin);
            }
        } else if let Some(one_less) = suspected.checked_sub(1) {
            self.suspected.store(one_less, Relaxed);
        }
    }

    /// Makes a call of a plugin aside, and notes whether it was quick.
    pub fn measure<T>(&self, plugin: &str, call: impl FnOnce() -> T) -> T {
        let before = processor_time();
        let result = call();
        match processor_time().saturating_sub(before) >= LONG {
            true => self.slow(plugin),
            false => self.quick(plugin),
        }
        result
    }
}

/// The processor time that this thread has used.
pub(super) fn processor_time() -> Duration {
    ThreadTime::try_now().map_or(Duration::ZERO, |time| time.as_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_quick_again_after_so_many_quick_calls_in_a_row() {
        let tempo = Tempo::default();
        assert!(!tempo.is_slow());
        tempo.slow("p");
        for _ in 1..QUICK_AGAIN {
            tempo.quick("p");
        }
        tempo.slow("p");
        for _ in 1..QUICK_AGAIN {
            tempo.quick("p");
        }
        assert!(tempo.is_slow(), "it began again");
        tempo.quick("p");
        assert!(!tempo.is_slow());
        tempo.quick("p");
        assert!(!tempo.is_slow());
    }

    #[test]
    fn one_instance_that_takes_long_to_make_says_nothing_and_two_do() {
        let tempo = Tempo::default();
        tempo.made("p", true);
        for _ in 0..AMONG {
            tempo.made("p", false);
        }
        tempo.made("p", true);
        assert!(!tempo.is_slow(), "the first is forgotten");
        for _ in 1..AMONG {
            tempo.made("p", false);
        }
        tempo.made("p", true);
        assert!(tempo.is_slow());
    }

    #[test]
    fn waiting_takes_no_processor_time() {
        let before = processor_time();
        std::thread::park_timeout(Duration::from_millis(20));
        assert!(processor_time() - before < Duration::from_millis(15));
    }
}
