//! `counters`: exact on integers, with the clock of the test.

use std::{collections::HashMap, time::Duration};

use super::{State, with};
use crate::counters::{Bucket, Decision, Window};

const LONGEST_KEY: usize = 256;

/// All of them. Kinds never mix under one key, nor do windows of different
/// lengths.
#[derive(Default)]
pub(in crate::testing) struct Counters {
    numbers: HashMap<String, Number>,
    buckets: HashMap<String, Level>,
    windows: HashMap<(String, Style, u64), Counts>,
}

#[derive(Clone, Copy)]
struct Number {
    value: i64,
    until: Duration,
}

/// What is in a bucket, in tokens times the nanoseconds of its `per`, so that
/// a fraction of a token is never lost.
#[derive(Clone, Copy)]
struct Level {
    tokens: u128,
    per: u128,
    at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Style {
    Fixed,
    Sliding,
}

/// What was counted in a window of the clock and in the one before.
#[derive(Clone, Copy, Default)]
struct Counts {
    number: u128,
    current: u64,
    previous: u64,
}

pub(crate) fn add(key: &str, delta: i64, ttl_ms: u64) -> i64 {
    check(key);
    with(|state| {
        let fresh = Number {
            value: 0,
            until: state.now + Duration::from_millis(ttl_ms),
        };
        let mut number = living(state, key).unwrap_or(fresh);
        number.value = number.value.saturating_add(delta);
        state.counters.numbers.insert(key.to_owned(), number);
        number.value
    })
}

pub(crate) fn get(key: &str) -> Option<i64> {
    check(key);
    with(|state| living(state, key).map(|number| number.value))
}

pub(crate) fn compare_and_set(key: &str, expected: Option<i64>, new: i64, ttl_ms: u64) -> bool {
    check(key);
    with(|state| {
        let equal = living(state, key).map(|number| number.value) == expected;
        if equal {
            let until = state.now + Duration::from_millis(ttl_ms);
            state
                .counters
                .numbers
                .insert(key.to_owned(), Number { value: new, until });
        }
        equal
    })
}

pub(crate) fn token_bucket(key: &str, bucket: Bucket, cost: i32) -> Decision {
    check(key);
    with(|state| {
        let now = state.now;
        let level = state.counters.buckets.get(key).copied();
        let (level, decision) = take(level, now, bucket, cost);
        state.counters.buckets.insert(key.to_owned(), level);
        decision
    })
}

pub(crate) fn fixed_window(key: &str, window: Window, cost: i32) -> Decision {
    count(key, Style::Fixed, window, cost)
}

pub(crate) fn sliding_window(key: &str, window: Window, cost: i32) -> Decision {
    count(key, Style::Sliding, window, cost)
}

fn check(key: &str) {
    assert!(
        key.len() <= LONGEST_KEY,
        "a trap: a key has at most {LONGEST_KEY} bytes"
    );
}

fn living(state: &State, key: &str) -> Option<Number> {
    let number = state.counters.numbers.get(key).copied();
    number.filter(|number| state.now < number.until)
}

fn take(level: Option<Level>, now: Duration, bucket: Bucket, cost: i32) -> (Level, Decision) {
    let per = u128::from(bucket.per_ms.max(1)) * 1_000_000;
    let refill = u128::from(bucket.refill);
    let full = u128::from(bucket.capacity) * per;
    let tokens = level.map_or(full, |level| {
        let gained = (now - level.at).as_nanos() * refill;
        // Other numbers than last time: what was there stays as tokens.
        (level.tokens * per / level.per + gained).min(full)
    });
    let amount = u128::from(cost.unsigned_abs()) * per;
    let (tokens, allowed) = match cost {
        ..=0 => ((tokens + amount).min(full), true),
        _ if amount <= tokens => (tokens - amount, true),
        _ => (tokens, false),
    };
    let decision = Decision {
        allowed,
        remaining: u64::try_from(tokens / per).unwrap_or(u64::MAX),
        reset_ms: millis_to_gain(full - tokens, refill),
        retry_after_ms: match allowed {
            true => 0,
            false if amount > full => u64::MAX,
            false => millis_to_gain(amount - tokens, refill),
        },
    };
    (
        Level {
            tokens,
            per,
            at: now,
        },
        decision,
    )
}

fn millis_to_gain(missing: u128, refill: u128) -> u64 {
    match (missing, refill) {
        (0, _) => 0,
        (_, 0) => u64::MAX,
        _ => u64::try_from(missing.div_ceil(refill).div_ceil(1_000_000)).unwrap_or(u64::MAX),
    }
}

fn count(key: &str, style: Style, window: Window, cost: i32) -> Decision {
    check(key);
    with(|state| {
        let length = window.window_ms.max(1);
        let now = state.now;
        let counts = state
            .counters
            .windows
            .entry((key.to_owned(), style, length))
            .or_default();
        counts.turn(now.as_nanos() / nanos(length), style);
        counts.take(now.as_nanos() % nanos(length), style, window, cost)
    })
}

fn nanos(millis: u64) -> u128 {
    u128::from(millis) * 1_000_000
}

impl Counts {
    /// Goes over to the window of that number.
    fn turn(&mut self, number: u128, style: Style) {
        let (current, previous) = match number - self.number {
            0 => (self.current, self.previous),
            1 if style == Style::Sliding => (0, self.current),
            _ => (0, 0),
        };
        *self = Self {
            number,
            current,
            previous,
        };
    }

    fn take(&mut self, elapsed: u128, style: Style, window: Window, cost: i32) -> Decision {
        let length = nanos(window.window_ms.max(1));
        let amount = u64::from(cost.unsigned_abs());
        let allowed = cost <= 0 || amount <= self.remaining(elapsed, length, window.limit);
        if cost < 0 {
            self.current = self.current.saturating_sub(amount);
        } else if allowed {
            self.current += amount;
        }
        Decision {
            allowed,
            remaining: self.remaining(elapsed, length, window.limit),
            reset_ms: millis(length - elapsed),
            retry_after_ms: match allowed {
                true => 0,
                false => self.retry_after(elapsed, length, style, window.limit, amount),
            },
        }
    }

    /// The largest cost with `previous × (length − elapsed) ÷ length + current
    /// + cost ≤ limit`.
    fn remaining(&self, elapsed: u128, length: u128, limit: u64) -> u64 {
        let carried = (u128::from(self.previous) * (length - elapsed)).div_ceil(length);
        let used = u128::from(self.current) + carried;
        limit.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX))
    }

    /// Until little enough of the previous window is covered, else of this one
    /// during the next.
    fn retry_after(&self, elapsed: u128, length: u128, style: Style, limit: u64, cost: u64) -> u64 {
        let Some(room) = limit.checked_sub(cost) else {
            return u64::MAX;
        };
        let left = length - elapsed;
        millis(match (style, room.checked_sub(self.current)) {
            (Style::Fixed, _) => left,
            (Style::Sliding, Some(room)) => {
                until_covered(self.previous, room, length).saturating_sub(elapsed)
            }
            (Style::Sliding, None) => left + until_covered(self.current, room, length),
        })
    }
}

/// How much of a window must be over until at most `room` of the `count` of
/// the window before it are covered.
fn until_covered(count: u64, room: u64, length: u128) -> u128 {
    match count <= room {
        true => 0,
        false => length - length * u128::from(room) / u128::from(count),
    }
}

fn millis(nanos: u128) -> u64 {
    u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
