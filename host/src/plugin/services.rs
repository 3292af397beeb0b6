//! What the gateway lends to its plugins, once per process.

use std::sync::Arc;

use crate::{
    discovery::Registry,
    observe::Metrics,
    state::{Clock, Counters, KeyValue},
};

use super::Faults;

/// What the gateway lends to its plugins. Shared by all, and by all workers.
pub struct HostServices {
    /// Numbers with a time to live.
    pub counters: Counters,
    /// Bytes with a time to live.
    pub store: KeyValue,
    /// Services and their instances.
    pub registry: Arc<Registry>,
    /// Where plugins' own metrics go.
    pub metrics: Arc<Metrics>,
    /// Quarantines, and what was logged of failures.
    pub faults: Faults,
}

impl HostServices {
    /// Services that nobody else sees: for a plugin that describes itself, and
    /// wherever there is no gateway.
    pub fn detached() -> Self {
        Self {
            counters: Counters::new(1, Clock::system()),
            store: KeyValue::new(0, Clock::system()),
            registry: Arc::new(Registry::new()),
            metrics: Arc::new(Metrics::new()),
            faults: Faults::default(),
        }
    }
}
