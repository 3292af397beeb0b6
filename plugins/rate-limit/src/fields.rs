//! The response fields `RateLimit-Policy` and `RateLimit`, as structured fields
//! of draft-ietf-httpapi-ratelimit-headers.

use std::fmt::Write as _;

use portcullis_sdk::counters::Decision;

use crate::config::Algorithm;
use crate::limit::Limit;

/// `"default";q=100;w=60` of each limit: how many in how many seconds.
///
/// Of a token bucket that is what it holds, and the time in which it fills. A
/// window that is not of whole seconds cannot be said, so `w` is left out.
pub fn policy(limits: &[Limit]) -> String {
    let mut text = String::new();
    for limit in limits {
        separate(&mut text);
        let _infallible = write!(text, "\"{}\";q={}", limit.name, limit.capacity);
        if let Some(seconds) = window_seconds(limit) {
            let _infallible = write!(text, ";w={seconds}");
        }
    }
    text
}

/// `"default";r=50;t=30` of each limit: what is left, and the seconds until it is
/// whole again, rounded up.
pub fn state(limits: &[Limit], decisions: &[Decision]) -> String {
    let mut text = String::with_capacity(limits.len() * 32);
    // Of every response: `write!` costs ten times as much.
    let mut digits = itoa::Buffer::new();
    for (limit, decision) in limits.iter().zip(decisions) {
        separate(&mut text);
        text.push('"');
        text.push_str(&limit.name);
        text.push_str("\";r=");
        text.push_str(digits.format(decision.remaining));
        text.push_str(";t=");
        text.push_str(digits.format(decision.reset_ms.div_ceil(1_000)));
    }
    text
}

/// `Retry-After`: whole seconds, rounded up, at least one.
pub fn retry_after(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1_000).max(1)
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push_str(", ");
    }
}

/// The time for the whole quota in seconds, if it is of whole seconds.
fn window_seconds(limit: &Limit) -> Option<u64> {
    let milliseconds = match limit.algorithm {
        Algorithm::TokenBucket => {
            let filling = u128::from(limit.capacity) * u128::from(limit.per_ms);
            let requests = u128::from(limit.requests);
            (filling % requests == 0).then(|| filling / requests)?
        }
        Algorithm::FixedWindow | Algorithm::SlidingWindow => limit.per_ms.into(),
    };
    (milliseconds % 1_000 == 0)
        .then(|| u64::try_from(milliseconds / 1_000).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    fn limit(name: &str, algorithm: Algorithm, requests: u64, per_ms: u64, capacity: u64) -> Limit {
        Limit {
            name: name.into(),
            algorithm,
            requests,
            per_ms,
            capacity,
            key: Key::ClientIp,
            cost: 1,
        }
    }

    #[test]
    fn policies_say_quota_and_window() {
        use Algorithm::{SlidingWindow, TokenBucket};
        for (limits, expected) in [
            (
                vec![limit("default", SlidingWindow, 100, 60_000, 100)],
                "\"default\";q=100;w=60",
            ),
            (
                vec![limit("default", TokenBucket, 100, 1_000, 200)],
                "\"default\";q=200;w=2",
            ),
            (vec![limit("a", TokenBucket, 3, 1_000, 4)], "\"a\";q=4"),
            (vec![limit("a", SlidingWindow, 5, 100, 5)], "\"a\";q=5"),
            (
                vec![
                    limit("minute", SlidingWindow, 100, 60_000, 100),
                    limit("hour", SlidingWindow, 1_000, 3_600_000, 1_000),
                ],
                "\"minute\";q=100;w=60, \"hour\";q=1000;w=3600",
            ),
        ] {
            assert_eq!(policy(&limits), expected);
        }
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (milliseconds, expected) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(retry_after(milliseconds), expected, "{milliseconds}");
        }
    }
}
