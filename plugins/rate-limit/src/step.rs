//! One request against all limits of a step, all or nothing.

use portcullis_sdk::counters::Decision;

use crate::limit::Limit;

/// What all limits together say.
#[derive(Debug)]
pub struct Ruling {
    /// What each limit says, in their order.
    pub decisions: Vec<Decision>,
    /// If a limit refused: which one, and in how many milliseconds all limits
    /// would let the request pass.
    pub refused: Option<(usize, u64)>,
}

/// Takes the request's cost from every limit, or from none.
///
/// Limits are asked in order and the first that refuses ends it, so that a
/// later limit is never charged for a request that an earlier one refuses; what
/// the earlier ones took is given back. `keys` are those of the counters, one
/// per limit.
pub fn rule(limits: &[Limit], keys: &[String]) -> Ruling {
    let mut decisions = Vec::with_capacity(limits.len());
    for (index, (limit, key)) in limits.iter().zip(keys).enumerate() {
        let decision = limit.take(key);
        let allowed = decision.allowed;
        decisions.push(decision);
        if !allowed {
            return refuse(limits, keys, decisions, index);
        }
    }
    Ruling {
        decisions,
        refused: None,
    }
}

/// Gives back what the limits before the refusing one took, and looks at those
/// after it: the client should wait for the slowest.
fn refuse(limits: &[Limit], keys: &[String], mut decisions: Vec<Decision>, at: usize) -> Ruling {
    let mut wait_ms = decisions[at].retry_after_ms;
    for index in 0..at {
        decisions[index] = limits[index].give_back(&keys[index]);
    }
    for index in at + 1..limits.len() {
        let decision = limits[index].look(&keys[index]);
        wait_ms = wait_ms.max(limits[index].wait_ms(&decision));
        decisions.push(decision);
    }
    Ruling {
        decisions,
        refused: Some((at, wait_ms)),
    }
}
