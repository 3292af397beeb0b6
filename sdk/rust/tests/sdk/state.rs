//! The fake counters, store, metrics and random numbers keep the rules of
//! `wit/state.wit` and `wit/tools.wit`.

use std::time::Duration;

use portcullis_sdk::{
    clock,
    counters::{self, Bucket, Window},
    log, metrics, store,
    testing::Gateway,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_counter_lives_from_its_first_addition() {
    let gateway = Gateway::new();
    assert_eq!(counters::add("a", 2, 1_000), 2);
    gateway.advance(Duration::from_millis(999));
    assert_eq!(counters::add("a", -5, 60_000), -3);
    gateway.advance(Duration::from_millis(1));
    assert_eq!(counters::get("a"), None);
    assert_eq!(counters::add("a", 1, 1_000), 1);
}

#[test]
fn compare_and_set_replaces_only_what_is_expected() {
    let gateway = Gateway::new();
    assert!(!counters::compare_and_set("s", Some(0), 1, 1_000));
    assert!(counters::compare_and_set("s", None, 1, 1_000));
    assert!(!counters::compare_and_set("s", None, 2, 1_000));
    gateway.advance(Duration::from_millis(900));
    assert!(counters::compare_and_set("s", Some(1), 2, 1_000));
    gateway.advance(Duration::from_millis(900));
    assert_eq!(
        counters::get("s"),
        Some(2),
        "setting starts a fresh time to live"
    );
}

#[test]
fn a_bucket_refills_evenly_and_loses_no_fraction() {
    let gateway = Gateway::new();
    let bucket = Bucket {
        capacity: 3,
        refill: 7,
        per_ms: 1_000,
    };
    let take = |cost| counters::token_bucket("b", bucket, cost);
    assert_eq!(take(3).remaining, 0);
    let refused = take(1);
    assert!(!refused.allowed);
    assert_eq!((refused.retry_after_ms, refused.reset_ms), (143, 429));
    let mut passed = 0;
    for _ in 0..10_000 {
        gateway.advance(Duration::from_millis(1));
        passed += u32::from(take(1).allowed);
    }
    assert_eq!(passed, 70, "seven a second for ten seconds");
}

#[test]
fn a_bucket_gives_back_up_to_its_capacity_and_can_be_looked_at() {
    let _gateway = Gateway::new();
    let bucket = Bucket {
        capacity: 5,
        refill: 1,
        per_ms: 1_000,
    };
    let take = |cost| counters::token_bucket("b", bucket, cost);
    assert_eq!(take(4).remaining, 1);
    assert_eq!(take(0).remaining, 1);
    assert_eq!(take(-2).remaining, 3);
    assert_eq!(take(-100).remaining, 5);
    let never = take(6);
    assert_eq!((never.allowed, never.retry_after_ms), (false, u64::MAX));
}

#[test]
fn a_fixed_window_is_aligned_to_the_clock() {
    let gateway = Gateway::new();
    gateway.advance(59 * SECOND);
    let window = Window {
        limit: 2,
        window_ms: 60_000,
    };
    let take = |cost| counters::fixed_window("w", window, cost);
    assert_eq!((take(1).remaining, take(1).remaining), (1, 0));
    let refused = take(1);
    assert_eq!(
        (refused.allowed, refused.retry_after_ms, refused.reset_ms),
        (false, 1_000, 1_000)
    );
    gateway.advance(SECOND);
    assert_eq!((take(2).allowed, take(0).reset_ms), (true, 60_000));
    assert_eq!(take(-1).remaining, 1);
}

#[test]
fn a_sliding_window_counts_the_covered_share_of_the_one_before() {
    let gateway = Gateway::new();
    let window = Window {
        limit: 100,
        window_ms: 60_000,
    };
    let take = |cost| counters::sliding_window("w", window, cost);
    assert!(take(80).allowed);
    // A quarter of the next minute is over: three quarters of 80 count.
    gateway.advance(75 * SECOND);
    assert_eq!(take(10).remaining, 30);
    let refused = take(31);
    assert_eq!((refused.allowed, refused.retry_after_ms), (false, 750));
    gateway.advance(Duration::from_millis(749));
    assert!(!take(31).allowed);
    gateway.advance(Duration::from_millis(1));
    assert!(take(31).allowed);
}

#[test]
#[should_panic(expected = "a trap: a key has at most 256 bytes")]
fn a_long_key_traps() {
    counters::get(&"k".repeat(257));
}

#[test]
fn values_live_as_long_as_they_were_given() {
    let gateway = Gateway::new();
    assert!(store::set("a", "1", 1_000) && store::set("b", [2], 0));
    assert!(!store::set("c", vec![0; (64 << 10) + 1], 0));
    gateway.advance(SECOND);
    assert_eq!((store::get("a"), store::get("b")), (None, Some(vec![2])));
    assert!(store::delete("b") && !store::delete("b") && !store::delete("a"));
}

#[test]
fn metrics_add_up_and_bad_names_are_dropped() {
    let gateway = Gateway::new();
    metrics::add("seen_total", &[("a", "1"), ("b", "2")], 2);
    metrics::add("seen_total", &[("b", "2"), ("a", "1")], 3);
    metrics::set("level", &[], 0.5);
    metrics::set("Bad-Name", &[], 1.0);
    assert_eq!(
        gateway.metric("seen_total", [("b", "2"), ("a", "1")]),
        Some(5.0)
    );
    assert_eq!(gateway.metric("level", []), Some(0.5));
    assert_eq!(gateway.metric("Bad-Name", []), None);
}

#[test]
fn a_new_gateway_knows_nothing_of_the_one_before() {
    let gateway = Gateway::new();
    let start = clock::now();
    gateway.advance(SECOND);
    assert_eq!(clock::now(), start + SECOND);
    counters::add("a", 1, 1_000);
    log::warn("x".repeat(5_000));
    assert_eq!(gateway.log_lines()[0].len(), 4 << 10);
    let gateway = Gateway::new();
    assert_eq!(
        (gateway.now(), counters::get("a"), gateway.log_lines().len()),
        (start, None, 0)
    );
}
