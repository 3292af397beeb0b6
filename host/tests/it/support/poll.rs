//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long what has to come may take on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(30);

/// Polls until the condition holds; panics with `what` after half a minute.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(LONGEST, condition), "not within {LONGEST:?}: {what}");
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
