//! Exactness under concurrency. Each of these tests turns red, within a few
//! runs at most, if the compare-and-swap in `Entry::replace` is made a load,
//! a comparison and a store.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Bucket, Counters, KeyValue, ManualClock, Timestamp, Window};

const THREADS: usize = 8;
const TAKES: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_nanos(1_800_000_000_000_000_000))
}

/// Runs `work` on all threads at once while another sweeps and churns through
/// entries of its own that expire.
fn contend(counters: &Counters, work: impl Fn(usize) + Sync) {
    let (done, start) = (AtomicBool::new(false), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        scope.spawn(|| {
            start.wait();
            for round in 0.. {
                counters.add(
                    "churn",
                    &format!("{}", round % 500),
                    1,
                    Duration::from_nanos(1),
                );
                counters.sweep();
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(worker);
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("a worker does not panic");
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// How many of all takes are allowed.
fn allowed(counters: &Counters, take: impl Fn() -> bool + Sync) -> u32 {
    let count = AtomicU32::new(0);
    contend(counters, |_| {
        let mine = (0..TAKES).filter(|_| take()).count();
        count.fetch_add(mine as u32, Ordering::Relaxed);
    });
    count.into_inner()
}

#[test]
fn exactly_the_limit_passes() {
    let counters = Counters::new(10_000, clock().clock());
    for limit in [1, 1000, 39_999] {
        let bucket = Bucket {
            capacity: limit,
            refill: limit,
            per: HOUR,
        };
        let window = Window {
            limit,
            window: HOUR,
        };
        let key = format!("{limit}");
        let expected = limit as u32;
        let took = allowed(&counters, || {
            counters.token_bucket("p", &key, bucket, 1).allowed
        });
        assert_eq!(took, expected, "token bucket");
        let took = allowed(&counters, || {
            counters.fixed_window("p", &key, window, 1).allowed
        });
        assert_eq!(took, expected, "fixed window");
        let took = allowed(&counters, || {
            counters.sliding_window("p", &key, window, 1).allowed
        });
        assert_eq!(took, expected, "sliding window");
    }
}

#[test]
fn no_addition_is_lost() {
    let counters = Counters::new(10_000, clock().clock());
    contend(&counters, |_| {
        for _ in 0..TAKES {
            counters.add("p", "k", 3, HOUR);
            counters.add("p", "k", -1, HOUR);
        }
    });
    assert_eq!(counters.get("p", "k"), Some(2 * (THREADS * TAKES) as i64));
}

#[test]
fn compare_and_set_succeeds_once_per_value() {
    let counters = Counters::new(10_000, clock().clock());
    assert!(counters.compare_and_set("p", "k", None, 0, HOUR));
    let won = AtomicU32::new(0);
    contend(&counters, |_| {
        for value in 0..TAKES as i64 {
            let swapped = counters.compare_and_set("p", "k", Some(value), value + 1, HOUR);
            won.fetch_add(u32::from(swapped), Ordering::Relaxed);
        }
    });
    let last = counters.get("p", "k").expect("it lives");
    assert_eq!(i64::from(won.into_inner()), last);
}

/// The time moves on between rounds only, so that in each round the sweep and
/// the first takers race for the entry that the round before left expired.
#[test]
fn an_entry_that_expires_while_it_is_updated_loses_no_count() {
    const ROUNDS: usize = 300;
    let (clock, limit) = (clock(), 5);
    let counters = Counters::new(10_000, clock.clock());
    let window = Window {
        limit,
        window: Duration::from_millis(1),
    };
    let bucket = Bucket {
        capacity: limit,
        refill: limit,
        per: Duration::from_millis(1),
    };
    let (passed, rounds) = (AtomicU32::new(0), Barrier::new(THREADS));
    contend(&counters, |_| {
        for round in 0..ROUNDS {
            for _ in 0..20 {
                let fixed = counters.fixed_window("p", "k", window, 1).allowed;
                let full = counters.token_bucket("p", "k", bucket, 1).allowed;
                let first = counters.add("p", "k", 1, Duration::from_millis(1)) <= limit as i64;
                let passes = [fixed, full, first].map(u32::from).iter().sum();
                passed.fetch_add(passes, Ordering::Relaxed);
            }
            if rounds.wait().is_leader() {
                let expected = 3 * limit as u32;
                assert_eq!(passed.swap(0, Ordering::Relaxed), expected, "round {round}");
                clock.advance(Duration::from_millis(1));
            }
            rounds.wait();
        }
    });
}

#[test]
fn the_limit_of_entries_holds_while_all_insert() {
    let counters = Counters::new(500, clock().clock());
    contend(&counters, |worker| {
        for index in 0..2000 {
            counters.add("p", &format!("{worker} {index}"), 1, HOUR);
            assert!(counters.len() <= 500);
        }
    });
    assert!(counters.len() <= 500);
    assert!(counters.evictions() > 0);
}

#[test]
fn bytes_are_accounted_for_exactly() {
    let clock = clock();
    let values = KeyValue::new(100_000, clock.clock());
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let values = &values;
            scope.spawn(move || {
                for index in 0..5000_usize {
                    let key = format!("{}", index * (worker + 1) % 700);
                    match index % 5 {
                        0 => _ = values.delete("p", &key),
                        1 => _ = values.get("p", &key),
                        _ => assert!(values.set("p", &key, &vec![7; index % 300], HOUR)),
                    }
                    assert!(values.bytes() <= 100_000);
                }
            });
        }
    });
    assert!(!values.is_empty());
    for key in 0..700 {
        values.delete("p", &format!("{key}"));
    }
    assert_eq!((values.len(), values.bytes()), (0, 0));
}
