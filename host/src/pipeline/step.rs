//! A pipeline and its steps: immutable, shared by all workers.

use crate::{
    config::{Isolation, OnError},
    exchange::Side,
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
    /// The longest body that it can see whole, in bytes.
    pub body_buffer: usize,
    /// What happens when it fails.
    pub on_error: OnError,
    /// Whether each request gets an instance of its own.
    pub isolation: Isolation,
    /// Whether the plugin may wait for others, so that its hooks on the request
    /// and the response are awaited.
    pub waits: bool,
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
    /// Whether some filter sees bodies, by `Side`.
    sees_bodies: [bool; 2],
    changes_responses: bool,
}

impl Pipeline {
    /// Filters in order; `incomplete` if one that is required is not among them.
    pub fn new(steps: Box<[Step]>, incomplete: bool) -> Self {
        let sees = |side| steps.iter().any(|step| step.hooks.sees_body(side));
        let changes =
            |step: &Step| step.hooks.sees_body(Side::Response) && step.reads.changes_bodies;
        Self {
            changes_responses: steps.iter().any(changes),
            sees_bodies: [sees(Side::Request), sees(Side::Response)],
            steps,
            incomplete,
        }
    }

    /// Whether nothing is between a request and its service.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether some filter sees bodies of a side.
    pub fn sees_body(&self, side: Side) -> bool {
        self.sees_bodies[side as usize]
    }

    /// Whether some filter may change bodies of responses.
    pub fn changes_responses(&self) -> bool {
        self.changes_responses
    }

    /// True if some filter may look at the request's head after it went
    /// upstream, so that it has to be kept.
    pub fn looks_back_at_request(&self) -> bool {
        let later = |hooks: &Hooks| {
            let bodies = hooks.request_body || hooks.sees_body(Side::Response);
            hooks.response || hooks.completion || bodies
        };
        self.steps
            .iter()
            .any(|step| step.reads.request_head && later(&step.hooks))
    }

    /// True if some filter may look at the response's head after it was sent,
    /// so that it has to be kept.
    pub fn looks_back_at_response(&self) -> bool {
        let later = |hooks: &Hooks| hooks.completion || hooks.response_body;
        self.steps
            .iter()
            .any(|step| step.reads.response_head && later(&step.hooks))
    }
}
