//! The end of an exchange, as the completion hook is told it.

pub use crate::bindings::completion::exports::portcullis::gateway::completion::{Failure, Outcome};

/// An exchange of which nothing is known: all zero, no failure.
impl Default for Outcome {
    fn default() -> Self {
        Self {
            status: 0,
            failure: Failure::None,
            forwarded: false,
            duration_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            attempts: 0,
        }
    }
}
