//! What the outside sees of a breaker: metrics and log lines.

use portcullis_sdk::{log, metrics};

use crate::word::State;

/// Shows a breaker's state in the gauge `circuit_breaker_state`.
pub fn show(target: &str, state: State) {
    metrics::set("circuit_breaker_state", &[label(target)], state.gauge());
}

/// Tells of a transition: gauge, counter, log line.
pub fn moved(target: &str, state: State) {
    show(target, state);
    let labels = [label(target), ("to", state.as_str())];
    metrics::add("circuit_breaker_transitions_total", &labels, 1);
    let line = match state {
        State::Open => format!("circuit breaker of {target} opened: requests are refused"),
        State::HalfOpen => format!("circuit breaker of {target} is half-open: trying the service"),
        State::Closed => format!("circuit breaker of {target} closed: the service is back"),
    };
    match state {
        State::Open => log::warn(&line),
        State::HalfOpen | State::Closed => log::info(&line),
    }
}

/// Counts a request that was refused.
pub fn refused(target: &str) {
    metrics::add("circuit_breaker_refused_total", &[label(target)], 1);
}

/// The label of a target: `service:users` is `service="users"`.
fn label(target: &str) -> (&str, &str) {
    target.split_once(':').unwrap_or(("service", target))
}
