//! A counter: its value and its expiry in one word.

use std::time::Duration;

use super::{clock::Timestamp, entries::FRESH};

/// A counter's value while it lives.
pub(super) fn value(word: u128, now: Timestamp) -> Option<i64> {
    (expiry(word) > now).then_some((word >> 64) as i64)
}

/// When a counter is as if it had never been.
pub(super) fn expiry(word: u128) -> Timestamp {
    Timestamp::from_nanos(word as u64)
}

/// A counter of that value. One that would not live is none.
fn word(value: i64, expiry: Timestamp, now: Timestamp) -> u128 {
    match expiry > now {
        true => u128::from(value as u64) << 64 | u128::from(expiry.as_nanos()),
        false => FRESH,
    }
}

/// Adds, saturating; the time to live counts from the first call.
pub(super) fn add(at: u128, now: Timestamp, delta: i64, ttl: Duration) -> (u128, i64) {
    let (before, expiry) = match value(at, now) {
        Some(value) => (value, expiry(at)),
        None => (0, now.after(ttl)),
    };
    let sum = before.saturating_add(delta);
    (word(sum, expiry, now), sum)
}

/// Sets with a fresh time to live if the value is the expected one.
pub(super) fn compare_and_set(
    at: u128,
    now: Timestamp,
    expected: Option<i64>,
    new: i64,
    ttl: Duration,
) -> (u128, bool) {
    match value(at, now) == expected {
        true => (word(new, now.after(ttl), now), true),
        false => (at, false),
    }
}
