//! A pipeline and its steps: immutable, shared by all workers.

use crate::{
    config::{Isolation, OnError},
    observe::FilterMetrics,
    plugin::{Hooks, Reads},
};

use super::SlotIndex;

/// One filter of a route.
#[derive(Debug)]
pub struct Step {
    /// Where each worker keeps the instance. Steps of equal plugin and
    /// configuration share one.
    pub slot: SlotIndex,
    /// What the plugin exports and has a use for; nothing else is called.
    pub hooks: Hooks,
    /// Which heads the plugin can look at; others are not kept for it.
    pub reads: Reads,
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
    /// True if a required filter is not there, so that no request may pass.
    pub incomplete: bool,
}

impl Pipeline {
    /// True if some filter may look at the request's head after it went
    /// upstream, so that it has to be kept.
    pub fn looks_back_at_request(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.reads.request_head && (step.hooks.response || step.hooks.completion))
    }

    /// True if some filter may look at the response's head after it was sent,
    /// so that it has to be kept.
    pub fn looks_back_at_response(&self) -> bool {
        self.steps
            .iter()
            .any(|step| step.reads.response_head && step.hooks.completion)
    }
}
