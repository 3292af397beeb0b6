//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Polls until the condition holds; panics with `what` after ten seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        within(Duration::from_secs(10), condition),
        "not within 10 s: {what}"
    );
}

/// Polls until the condition holds; false if it did not in time.
pub(crate) fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::yield_now();
        thread::park_timeout(Duration::from_millis(5));
    }
}
