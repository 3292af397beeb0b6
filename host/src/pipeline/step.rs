//! A pipeline and its steps: immutable, shared by all workers.

use crate::{
    config::{Isolation, OnError},
    observe::FilterMetrics,
    plugin::Hooks,
};

use super::SlotIndex;

/// One filter of a route.
#[derive(Debug)]
pub struct Step {
    /// Where each worker keeps the instance. Steps of equal plugin and
    /// configuration share one.
    pub slot: SlotIndex,
    /// What the plugin exports; what it does not is never called.
    pub hooks: Hooks,
    /// What happens when it fails.
    pub on_error: OnError,
    /// Whether each request gets an instance of its own.
    pub isolation: Isolation,
    /// Calls, time and errors of this step.
    pub metrics: FilterMetrics,
}

/// A route's filters in order.
#[derive(Debug, Default)]
pub struct Pipeline {
    /// The filters.
    pub steps: Box<[Step]>,
}

impl Pipeline {
    /// True if some filter may look at the request after it went upstream, so
    /// that its head has to be kept.
    pub fn looks_back(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.hooks.response || step.hooks.completion)
    }
}
