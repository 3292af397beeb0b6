//! What the end of an exchange says of the service.

use portcullis_sdk::prelude::*;

use crate::machine::Health;
use crate::statuses::Statuses;

/// Judges an outcome.
///
/// A failed connection, a broken answer and a timeout are the service's. A
/// status counts only where the service gave it, not a filter. Nothing is
/// learned from a client that left, from a filter that answered, and from a
/// service without a healthy instance, which was not touched.
pub fn judge(outcome: &Outcome, failures: Statuses) -> Health {
    match outcome.failure {
        Failure::Connect | Failure::Timeout | Failure::Upstream => Health::Bad,
        Failure::Unavailable | Failure::Filter | Failure::Client => Health::Unknown,
        Failure::None if !outcome.forwarded => Health::Unknown,
        Failure::None if failures.contains(outcome.status) => Health::Bad,
        Failure::None => Health::Good,
    }
}
