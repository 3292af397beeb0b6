//! What calls of plugins leave behind, once per process: quarantines, the
//! backtraces that were logged, the wish for another spare, and who has started.
//!
//! Outlives every reload. Locked where a snapshot is built, at each sweep, and
//! where a call has failed; never by one that goes well.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic::AtomicBool},
    time::Instant,
};

use tokio::sync::Notify;

use crate::{
    config::QuarantinePolicy,
    observe::{Metrics, PluginUses},
};

use super::Quarantine;

/// Distinct traps of one version of a plugin of which the backtrace is logged.
const BACKTRACES: usize = 32;
/// Versions of plugins of which that is known.
const VERSIONS: usize = 256;

/// What makes failures count together. Whatever an operator may change to mend
/// a plugin is a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Use {
    pub(super) plugin: Arc<str>,
    pub(super) hash: String,
    pub(super) config: String,
    /// Limits and grants.
    pub(super) bounds: String,
    /// The service of a balancer, which knows the instances of that one only.
    pub(super) service: Option<String>,
    pub(super) policy: String,
}

/// What the failures of plugins leave behind.
#[derive(Debug, Default)]
pub struct Faults {
    quarantines: Mutex<HashMap<Use, Weak<Quarantine>>>,
    /// Whether the start hook of a use has been called.
    started: Mutex<HashMap<Use, Weak<AtomicBool>>>,
    /// The traps whose backtrace was logged, by the hash of the plugin.
    seen: Mutex<HashMap<String, HashSet<u64>>>,
    spare_taken: Notify,
}

impl Faults {
    /// The state of this use; the one that there is, if the version is in use.
    pub(super) fn quarantine(
        &self,
        of: Use,
        policy: QuarantinePolicy,
        metrics: &Arc<Metrics>,
    ) -> Arc<Quarantine> {
        let mut quarantines = self.quarantines();
        if let Some(known) = quarantines.get(&of).and_then(Weak::upgrade) {
            return known;
        }
        let plugin = Arc::clone(&of.plugin);
        let metrics = Arc::clone(metrics);
        let made = Arc::new(Quarantine::new(plugin, policy, metrics, Instant::now()));
        quarantines.insert(of, Arc::downgrade(&made));
        made
    }

    /// Whether the start hook of this use has been called: false at first, and
    /// again once nobody has it any more.
    pub(super) fn started(&self, of: &Use) -> Arc<AtomicBool> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|_, known| known.strong_count() > 0);
        if let Some(known) = started.get(of).and_then(Weak::upgrade) {
            return known;
        }
        let made = Arc::default();
        started.insert(of.clone(), Arc::downgrade(&made));
        made
    }

    /// Forgets failures that are long ago, and versions that are gone.
    pub fn sweep(&self, now: Instant) {
        self.quarantines()
            .retain(|_, quarantine| match quarantine.upgrade() {
                Some(quarantine) => {
                    quarantine.sweep(now);
                    true
                }
                None => false,
            });
    }

    /// How many uses of each plugin are quarantined now, and how many take long,
    /// of all that are used.
    pub fn uses(&self, now: Instant) -> BTreeMap<Arc<str>, PluginUses> {
        let mut counts: BTreeMap<Arc<str>, PluginUses> = BTreeMap::new();
        for quarantine in self.quarantines().values().filter_map(Weak::upgrade) {
            let count = counts.entry(Arc::clone(quarantine.plugin())).or_default();
            let quarantined = quarantine.figures(now).quarantined_for.is_some();
            count.quarantined += u64::from(quarantined);
            count.slow += u64::from(quarantine.tempo().is_slow());
        }
        counts
    }

    /// True the first time that a version of a plugin traps in this way, as
    /// long as there have not been too many ways.
    pub(super) fn is_new(&self, plugin: &str, trap: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= VERSIONS && !seen.contains_key(plugin) {
            seen.clear();
        }
        let seen = seen.entry(plugin.to_owned()).or_default();
        seen.len() < BACKTRACES && seen.insert(trap)
    }

    /// A worker has taken a spare instance.
    pub(super) fn spare_taken(&self) {
        self.spare_taken.notify_one();
    }

    /// Waits until a spare was taken since the last time. Cancel safe.
    pub async fn until_spare_taken(&self) {
        self.spare_taken.notified().await;
    }

    fn quarantines(&self) -> MutexGuard<'_, HashMap<Use, Weak<Quarantine>>> {
        self.quarantines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hash: &str, config: &str) -> Use {
        Use {
            plugin: "p".into(),
            hash: hash.into(),
            config: config.into(),
            bounds: String::new(),
            service: None,
            policy: String::new(),
        }
    }

    #[test]
    fn a_use_is_known_again_as_long_as_somebody_has_it() {
        let faults = Faults::default();
        let metrics = Arc::new(Metrics::new());
        let quarantine = |of| faults.quarantine(of, QuarantinePolicy::default(), &metrics);
        let first = quarantine(of("1", "{}"));
        let again = quarantine(of("1", "{}"));
        assert!(Arc::ptr_eq(&first, &again));
        for other in [of("2", "{}"), of("1", "{ }")] {
            assert!(!Arc::ptr_eq(&first, &quarantine(other)));
        }
        faults.sweep(Instant::now());
        assert_eq!(faults.quarantines().len(), 1, "what is gone is forgotten");
    }

    #[test]
    fn a_trap_is_new_once_and_there_is_an_end_to_new_ones() {
        let faults = Faults::default();
        let new = (0..1_000).filter(|trap| faults.is_new("a", *trap)).count();
        assert_eq!(new, BACKTRACES);
        assert!(!faults.is_new("a", 1));
        assert!(faults.is_new("b", 1), "another version");
        for version in 0..10 * VERSIONS {
            faults.is_new(&version.to_string(), 1);
        }
        assert!(faults.seen.lock().unwrap().len() <= VERSIONS);
    }
}
