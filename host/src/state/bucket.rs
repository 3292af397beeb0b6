//! A token bucket, exact: the generic cell rate algorithm on integers.
//!
//! A bucket is known by the time at which it is full again. Time is counted in
//! units of a nanosecond divided by `refill`, in which a token weighs exactly
//! `per` nanoseconds; so nothing is ever rounded but what callers are told.
//! The word holds that time (96 bits) and the `refill` it is counted with (32).

use std::time::Duration;

use super::{
    Decision,
    clock::{Timestamp, nanos},
    entries::FRESH,
};

/// A token bucket: holds `capacity` tokens, gains `refill` every `per` evenly
/// over the time, starts full.
///
/// Exact for `capacity` and `refill` up to 2³² − 1 and `per` up to 4 years; a
/// larger capacity counts as that, larger rates are rounded. A `refill` of 0
/// gains one token in 4 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Tokens at most.
    pub capacity: u64,
    /// Tokens gained every `per`.
    pub refill: u64,
    /// How long `refill` takes.
    pub per: Duration,
}

/// The longest `per`, about 4.5 years: bounds the products below.
const LONGEST: u64 = 1 << 57;

/// A bucket's numbers in units.
#[derive(Clone, Copy)]
struct Rate {
    /// Units in a nanosecond.
    refill: u128,
    /// Units that a token weighs; below 2⁵⁷.
    token: u128,
    /// Units that a full bucket weighs; below 2⁸⁹.
    full: u128,
}

impl Rate {
    fn of(bucket: Bucket) -> Self {
        let per = nanos(bucket.per).clamp(1, LONGEST);
        let excess = (u64::BITS - bucket.refill.leading_zeros()).saturating_sub(u32::BITS);
        let (refill, token) = match bucket.refill {
            0 => (1, LONGEST),
            refill => (refill >> excess, (per >> excess).max(1)),
        };
        let capacity = bucket.capacity.min(u64::from(u32::MAX));
        Self {
            refill: u128::from(refill),
            token: u128::from(token),
            full: u128::from(capacity) * u128::from(token),
        }
    }

    /// Units that the bucket lacks now. The word may come from before a reload
    /// that changed the numbers: it then keeps its time, at most empty.
    fn missing(&self, word: u128, now: Timestamp) -> u128 {
        let (full_at, refill) = unpack(word);
        let full_at = match refill {
            0 => 0,
            same if same == self.refill => full_at,
            other => (full_at * self.refill).div_ceil(other),
        };
        full_at.saturating_sub(self.now(now)).min(self.full)
    }

    fn now(&self, now: Timestamp) -> u128 {
        u128::from(now.as_nanos()) * self.refill
    }

    fn pack(&self, missing: u128, now: Timestamp) -> u128 {
        match missing {
            0 => FRESH,
            _ => (self.now(now) + missing) << 32 | self.refill,
        }
    }

    fn time(&self, units: u128) -> Duration {
        // At most 2⁸⁹ units, which are a `u64` of nanoseconds unless the
        // bucket takes centuries to fill.
        Duration::from_nanos(u64::try_from(units.div_ceil(self.refill)).unwrap_or(u64::MAX))
    }
}

/// When a bucket is full, and as if it had never been.
pub(super) fn expiry(word: u128) -> Timestamp {
    let (full_at, refill) = unpack(word);
    let nanos = match refill {
        0 => 0,
        refill => full_at.div_ceil(refill),
    };
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn unpack(word: u128) -> (u128, u128) {
    (word >> 32, word & u128::from(u32::MAX))
}

/// Takes `cost`, all or nothing; gives back if it is negative.
pub(super) fn take(word: u128, now: Timestamp, bucket: Bucket, cost: i32) -> (u128, Decision) {
    let rate = Rate::of(bucket);
    let missing = rate.missing(word, now);
    let amount = u128::from(cost.unsigned_abs()) * rate.token;
    let (after, allowed) = match cost {
        ..0 => (missing.saturating_sub(amount), true),
        0 => (missing, true),
        _ if missing + amount <= rate.full => (missing + amount, true),
        _ => (missing, false),
    };
    let retry_after = match allowed {
        true => Duration::ZERO,
        false if amount > rate.full => Duration::MAX,
        false => rate.time(missing + amount - rate.full),
    };
    let decision = Decision {
        allowed,
        remaining: ((rate.full - after) / rate.token) as u64,
        reset: rate.time(after),
        retry_after,
    };
    let unchanged = after == missing;
    (
        if unchanged {
            word
        } else {
            rate.pack(after, now)
        },
        decision,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::LAST;

    fn start() -> Timestamp {
        Timestamp::from_nanos(1_800_000_000_123_456_789)
    }

    fn bucket(capacity: u64, refill: u64, per: Duration) -> Bucket {
        Bucket {
            capacity,
            refill,
            per,
        }
    }

    #[test]
    fn starts_full_and_is_all_or_nothing() {
        let of = bucket(10, 5, Duration::from_secs(1));
        let (word, decision) = take(FRESH, start(), of, 7);
        assert_eq!((decision.allowed, decision.remaining), (true, 3));
        assert_eq!(decision.reset, Duration::from_millis(1400));
        let (after, decision) = take(word, start(), of, 4);
        assert_eq!((decision.allowed, decision.remaining), (false, 3));
        assert_eq!(decision.retry_after, Duration::from_millis(200));
        assert_eq!(after, word, "a refusal takes nothing");
    }

    #[test]
    fn waiting_exactly_retry_after_is_enough_and_a_nanosecond_less_is_not() {
        let day = Duration::from_secs(86_400);
        for (capacity, refill, per, cost) in [
            (1, 1, Duration::from_millis(1), 1),
            (3, 7, Duration::from_secs(1), 2),
            (100, 100, Duration::from_secs(3600), 100),
            (
                1_000_000_000,
                1_000_000_000,
                Duration::from_millis(1),
                999_999_999,
            ),
            (1_000_000_000, 999_999_937, day, 123_456_789),
            (1_000_000_000, 1, day, 1),
            (5, 0, Duration::from_secs(1), 1),
            (u64::MAX, u64::MAX, Duration::MAX, i32::MAX),
        ] {
            let of = bucket(capacity, refill, per);
            let word = drained(of);
            let refused = take(word, start(), of, cost).1;
            assert!(!refused.allowed, "{of:?}");
            let enough = start().after(refused.retry_after);
            let early = start().after(refused.retry_after - Duration::from_nanos(1));
            assert!(take(word, enough, of, cost).1.allowed, "{of:?}");
            assert!(!take(word, early, of, cost).1.allowed, "{of:?}");
        }
    }

    fn drained(of: Bucket) -> u128 {
        let all = i32::try_from(of.capacity).unwrap_or(i32::MAX);
        let mut word = FRESH;
        loop {
            let (next, decision) = take(word, start(), of, all);
            if !decision.allowed {
                return next;
            }
            word = next;
        }
    }

    #[test]
    fn no_fraction_of_a_token_is_lost_on_the_way() {
        // Seven tokens a second do not divide a second. Every token is there
        // at the first nanosecond that it is due, and not one earlier, for
        // hours on end.
        let of = bucket(2, 7, Duration::from_secs(1));
        let mut word = drained(of);
        for token in 1..=70_000u64 {
            let due = (token * 1_000_000_000).div_ceil(7);
            let early = start().after(Duration::from_nanos(due - 1));
            assert!(!take(word, early, of, 1).1.allowed, "{token}");
            let (next, decision) = take(word, start().after(Duration::from_nanos(due)), of, 1);
            assert!(decision.allowed, "{token}");
            word = next;
        }
    }

    #[test]
    fn giving_back_fills_up_to_the_capacity() {
        let of = bucket(10, 1, Duration::from_secs(60));
        let (word, _) = take(FRESH, start(), of, 4);
        let (word, decision) = take(word, start(), of, -1);
        assert_eq!((decision.allowed, decision.remaining), (true, 7));
        let (word, decision) = take(word, start(), of, i32::MIN);
        assert_eq!((word, decision.remaining), (FRESH, 10));
        assert_eq!(take(FRESH, start(), of, -5).0, FRESH);
    }

    #[test]
    fn a_cost_above_the_capacity_is_never_allowed() {
        let (word, decision) = take(FRESH, start(), bucket(3, 1, Duration::from_secs(1)), 4);
        assert_eq!(word, FRESH);
        assert_eq!(decision.retry_after, Duration::MAX);
        assert_eq!(decision.remaining, 3);
        let none = bucket(0, 1, Duration::from_secs(1));
        assert!(!take(FRESH, start(), none, 1).1.allowed);
        assert!(take(FRESH, start(), none, 0).1.allowed);
    }

    #[test]
    fn new_numbers_keep_the_time_until_full_but_leave_it_at_most_empty() {
        let slow = bucket(100, 100, Duration::from_secs(3600));
        let (word, _) = take(FRESH, start(), slow, 100);
        let fast = bucket(10, 10, Duration::from_secs(1));
        let (_, decision) = take(word, start(), fast, 1);
        assert!(!decision.allowed);
        assert_eq!(decision.retry_after, Duration::from_millis(100));
        let (word, _) = take(FRESH, start(), bucket(10, 3, Duration::from_secs(10)), 3);
        let (_, decision) = take(word, start(), bucket(10, 7, Duration::from_secs(10)), 0);
        assert_eq!(decision.reset, Duration::from_nanos(10_000_000_000));
    }

    #[test]
    fn is_over_when_it_is_full() {
        let of = bucket(10, 3, Duration::from_secs(1));
        let (word, decision) = take(FRESH, start(), of, 1);
        assert_eq!(expiry(word), start().after(decision.reset));
        assert_eq!(expiry(FRESH), Timestamp::from_nanos(0));
    }

    #[test]
    fn the_largest_of_everything_does_not_overflow() {
        for refill in [0, 1, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
            let of = bucket(u64::MAX, refill, Duration::MAX);
            let mut word = FRESH;
            for cost in [i32::MAX, i32::MAX, i32::MAX, -1, i32::MIN, 0] {
                word = take(word, NOW, of, cost).0;
                assert_ne!(word, u128::MAX);
                expiry(word);
            }
        }
    }
}
