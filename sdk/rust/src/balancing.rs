//! What a balancer may read of the instances it chooses from.
//!
//! Indices are those of the last `instances_changed`; elsewhere, and for an
//! index out of range, the functions trap. Figures are of all workers together.

use crate::host::balancing as host;

/// Requests that are at this instance right now.
pub fn in_flight(index: u32) -> u32 {
    host::in_flight(index)
}

/// [`in_flight`] of all instances in one call, by index.
pub fn all_in_flight() -> Vec<u32> {
    host::all_in_flight()
}

/// The instance's time to the response's head, in microseconds: an
/// exponentially weighted moving average that decays with a time constant of
/// ten seconds; 0 if nothing was measured yet.
pub fn latency_us(index: u32) -> u32 {
    host::latency_us(index)
}

/// True if this request was already sent to this instance.
pub fn tried(index: u32) -> bool {
    host::tried(index)
}
