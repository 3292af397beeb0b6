//! Counters, token buckets and windows.

use std::time::Duration;

use super::{
    Bucket, Clock, Decision, Space, Window, bucket, counter,
    entries::Entries,
    key::{Kind, Name},
    window::{self, Style},
};

/// Numbers by namespace and key, shared by all threads, each with a time to live.
///
/// Every function is one atomic step, takes no lock, and allocates only where
/// it makes an entry. At the limit of entries a new one takes the place of one
/// of a few sampled ones: of an expired one if there is any, else of the one
/// that expires soonest. A namespace at its own limit makes room among its own
/// entries in the same way. Durations shorter than their unit are as short as it
/// is: see [`Bucket`] and [`Window`].
#[derive(Debug)]
pub struct Counters {
    entries: Entries,
}

impl Counters {
    /// The limit on entries unless the configuration says otherwise.
    pub const DEFAULT_LIMIT: usize = 1_000_000;

    /// No entries yet, and at most `limit` of them, at least one.
    pub fn new(limit: usize, clock: Clock) -> Self {
        Self {
            entries: Entries::new(limit, clock),
        }
    }

    /// Adds to a counter and returns the new value, saturating. A new counter
    /// starts at 0 and lives for `ttl` from this call.
    pub fn add<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        delta: i64,
        ttl: Duration,
    ) -> i64 {
        let name = Name::new(Kind::Counter, space, key);
        self.entries
            .update(name, |word, now| counter::add(word, now, delta, ttl))
    }

    /// The value of a counter, if it lives.
    pub fn get<'a>(&self, space: impl Into<Space<'a>>, key: &'a str) -> Option<i64> {
        let (word, now) = self.entries.look(Name::new(Kind::Counter, space, key));
        counter::value(word, now)
    }

    /// Sets a counter to `new` with a fresh time to live if it has the value
    /// `expected` (none: does not live). True if it did. A `ttl` of zero
    /// removes it.
    pub fn compare_and_set<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        expected: Option<i64>,
        new: i64,
        ttl: Duration,
    ) -> bool {
        let name = Name::new(Kind::Counter, space, key);
        self.entries.update(name, |word, now| {
            counter::compare_and_set(word, now, expected, new, ttl)
        })
    }

    /// Takes `cost` tokens if they are there, all or nothing. A negative cost
    /// gives back up to the capacity; 0 only looks.
    pub fn token_bucket<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        bucket: Bucket,
        cost: i32,
    ) -> Decision {
        let name = Name::new(Kind::Bucket, space, key);
        self.entries
            .update(name, |word, now| bucket::take(word, now, bucket, cost))
    }

    /// Counts `cost` in a fixed window, which starts at a multiple of its
    /// length since the Unix epoch. Negative gives back; 0 only looks.
    pub fn fixed_window<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        window: Window,
        cost: i32,
    ) -> Decision {
        self.window(space, key, window, Style::Fixed, cost)
    }

    /// Counts `cost` in the current fixed window plus the share of the one
    /// before that a sliding window still covers. Negative gives back to the
    /// current one; 0 only looks.
    pub fn sliding_window<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        window: Window,
        cost: i32,
    ) -> Decision {
        self.window(space, key, window, Style::Sliding, cost)
    }

    fn window<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        window: Window,
        style: Style,
        cost: i32,
    ) -> Decision {
        let name = Name::new(window.kind(style), space, key);
        self.entries.update(name, |word, now| {
            window::take(word, now, window, style, cost)
        })
    }

    /// Frees what has expired, a part at a time: a call looks at some
    /// 16,000 entries (about a millisecond), and the next goes on from there.
    /// For the control thread, once a second or so.
    pub fn sweep(&self) {
        self.entries.sweep();
    }

    /// Entries that are kept, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries that had to go before their time.
    pub fn evictions(&self) -> u64 {
        self.entries.evictions()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{
        super::{ManualClock, Timestamp},
        *,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn counters(limit: usize) -> (Counters, ManualClock) {
        let clock = ManualClock::new(Timestamp::from_nanos(1_800_000_000_000_000_000));
        (Counters::new(limit, clock.clock()), clock)
    }

    #[test]
    fn a_counter_lives_from_its_first_call() {
        let (counters, clock) = counters(10);
        assert_eq!(counters.get("p", "k"), None);
        assert_eq!(counters.add("p", "k", 2, SECOND), 2);
        clock.advance(SECOND - Duration::from_nanos(1));
        assert_eq!(counters.add("p", "k", -5, SECOND), -3);
        assert_eq!(counters.get("p", "k"), Some(-3));
        clock.advance(Duration::from_nanos(1));
        assert_eq!(counters.get("p", "k"), None);
        assert_eq!(counters.add("p", "k", 1, SECOND), 1);
    }

    #[test]
    fn compare_and_set_is_a_state_machines_step() {
        let (counters, clock) = counters(10);
        assert!(!counters.compare_and_set("p", "k", Some(0), 1, SECOND));
        assert!(counters.is_empty());
        assert!(counters.compare_and_set("p", "k", None, 0, SECOND));
        assert!(!counters.compare_and_set("p", "k", None, 1, SECOND));
        clock.advance(SECOND / 2);
        assert!(counters.compare_and_set("p", "k", Some(0), 7, SECOND));
        clock.advance(SECOND / 2);
        assert_eq!(counters.get("p", "k"), Some(7), "a fresh time to live");
        assert!(counters.compare_and_set("p", "k", Some(7), 8, Duration::ZERO));
        assert_eq!(counters.get("p", "k"), None);
    }

    #[test]
    fn extremes_of_counters() {
        let (counters, _) = counters(10);
        assert_eq!(counters.add("p", "k", 5, Duration::ZERO), 5);
        assert!(counters.is_empty(), "what does not live is not kept");
        assert_eq!(counters.add("p", "k", i64::MAX, Duration::MAX), i64::MAX);
        assert_eq!(counters.add("p", "k", 1, Duration::MAX), i64::MAX);
        assert_eq!(counters.add("p", "n", -1, Duration::MAX), -1);
        assert_eq!(counters.add("p", "n", i64::MIN, Duration::MAX), i64::MIN);
        let long = "k".repeat(100_000);
        assert_eq!(counters.add("", &long, 1, SECOND), 1);
        assert_eq!(counters.get("", &long), Some(1));
    }

    #[test]
    fn plugins_and_kinds_do_not_mix() {
        let (counters, _) = counters(10);
        let bucket = Bucket {
            capacity: 5,
            refill: 1,
            per: SECOND,
        };
        let window = Window {
            limit: 7,
            window: SECOND,
        };
        assert_eq!(counters.add("a", "bc", 1, SECOND), 1);
        assert_eq!(counters.add("ab", "c", 1, SECOND), 1);
        assert_eq!(counters.token_bucket("a", "bc", bucket, 1).remaining, 4);
        assert_eq!(counters.fixed_window("a", "bc", window, 1).remaining, 6);
        assert_eq!(counters.sliding_window("a", "bc", window, 1).remaining, 6);
        let longer = Window {
            window: 2 * SECOND,
            ..window
        };
        assert_eq!(counters.fixed_window("a", "bc", longer, 1).remaining, 6);
        assert_eq!(counters.get("a", "bc"), Some(1));
        assert_eq!(counters.len(), 6);
    }

    #[test]
    fn a_look_and_a_refusal_keep_nothing() {
        let (counters, _) = counters(10);
        let bucket = Bucket {
            capacity: 5,
            refill: 1,
            per: SECOND,
        };
        assert!(counters.token_bucket("p", "k", bucket, 0).allowed);
        assert!(!counters.token_bucket("p", "k", bucket, 6).allowed);
        assert!(counters.token_bucket("p", "k", bucket, -1).allowed);
        assert!(counters.is_empty());
    }

    #[test]
    fn a_bucket_refills_over_time() {
        let (counters, clock) = counters(10);
        let bucket = Bucket {
            capacity: 200,
            refill: 100,
            per: SECOND,
        };
        assert!(counters.token_bucket("p", "k", bucket, 200).allowed);
        let refused = counters.token_bucket("p", "k", bucket, 30);
        assert_eq!(refused.retry_after, Duration::from_millis(300));
        clock.advance(refused.retry_after);
        let allowed = counters.token_bucket("p", "k", bucket, 30);
        assert_eq!((allowed.allowed, allowed.remaining), (true, 0));
        assert_eq!(allowed.reset, 2 * SECOND);
    }

    #[test]
    fn sweeping_frees_what_has_expired_and_only_that() {
        let (counters, clock) = counters(100_000);
        for index in 0..30_000u64 {
            let ttl = if index % 3 == 0 { 10 * SECOND } else { SECOND };
            counters.add("p", &format!("{index}"), 1, ttl);
        }
        counters.sweep();
        assert_eq!(counters.len(), 30_000);
        clock.advance(SECOND);
        counters.sweep();
        assert!(counters.len() > 10_000, "a call does a part");
        (0..2).for_each(|_| counters.sweep());
        assert_eq!(counters.len(), 10_000);
        assert_eq!(counters.get("p", "3"), Some(1));
        assert_eq!(counters.evictions(), 0);
    }

    #[test]
    fn at_the_limit_the_soonest_expiring_make_room() {
        let (counters, _) = counters(1000);
        for index in 0..500 {
            counters.add("p", &format!("long {index}"), 1, 1000 * SECOND);
        }
        for index in 0..10_000 {
            counters.add("p", &format!("short {index}"), 1, SECOND);
        }
        assert_eq!(counters.len(), 1000);
        assert_eq!(counters.evictions(), 9500);
        let kept = (0..500).filter(|index| counters.get("p", &format!("long {index}")).is_some());
        // One in 2¹⁶ samples holds long-lived ones alone.
        assert!(kept.count() >= 490);
    }

    #[test]
    fn expired_entries_make_room_first() {
        let (counters, clock) = counters(64);
        for index in 0..64 {
            let ttl = if index % 8 == 0 { 10 * SECOND } else { SECOND };
            counters.add("p", &format!("{index}"), 1, ttl);
        }
        clock.advance(SECOND);
        for index in 0..16 {
            counters.add("p", &format!("new {index}"), 1, 5 * SECOND);
        }
        assert_eq!((counters.len(), counters.evictions()), (64, 0));
    }

    #[test]
    fn a_full_namespace_makes_room_among_its_own_entries_alone() {
        let (counters, _) = counters(1000);
        let dropped = AtomicU64::new(0);
        let flooded = Space {
            entries: 50,
            dropped: Some(&dropped),
            ..Space::from("flooded")
        };
        for index in 0..100 {
            counters.add("quiet", &format!("{index}"), 1, SECOND);
        }
        for index in 0..10_000 {
            let added = counters.add(flooded, &format!("{index}"), 1, 10 * SECOND);
            assert_eq!(added, 1, "a full namespace still counts");
        }
        assert_eq!(counters.len(), 150);
        assert_eq!(dropped.load(Ordering::Relaxed), 9950);
        let kept = (0..100).filter(|index| counters.get("quiet", &format!("{index}")).is_some());
        assert_eq!(kept.count(), 100, "though they expire sooner");
        counters.add("flooded", "another", 1, SECOND);
        assert_eq!(counters.len(), 151, "who shares it has bounds of its own");
    }

    #[test]
    fn a_namespace_whose_bound_shrinks_does_so_bit_by_bit() {
        let (counters, _) = counters(10_000);
        for index in 0..5000 {
            counters.add("p", &format!("{index}"), 1, SECOND);
        }
        let smaller = Space {
            entries: 1000,
            ..Space::from("p")
        };
        for index in 0..5000 {
            counters.add(smaller, &format!("new {index}"), 1, SECOND);
        }
        assert_eq!(counters.len(), 1000);
    }

    #[test]
    fn the_word_is_lock_free_here() {
        assert!(portable_atomic::AtomicU128::is_lock_free());
    }
}
