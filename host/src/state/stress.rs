//! Exactness under concurrency.
//!
//! Threads give way at random between looking at a word and replacing it, so
//! that a machine with few cores interleaves them too. Planted faults that
//! turn these tests red: `compare_exchange` in `Entry::replace` made a `store`,
//! in all its uses or where `Entries::bury` uses it; `Entries::bury` removing
//! the entry without having buried it.

use std::{
    cell::Cell,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Bucket, Counters, KeyValue, ManualClock, Timestamp, Window};

const THREADS: usize = 8;
const TAKES: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    /// One in how many calls of `interleave` gives way; 0: none.
    static GIVES_WAY: Cell<u32> = const { Cell::new(0) };
}

/// Called between looking at a word and replacing it.
pub(super) fn interleave() {
    let one_in = GIVES_WAY.get();
    if one_in > 0 && fastrand::u32(..one_in) == 0 {
        thread::yield_now();
    }
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_nanos(1_800_000_000_000_000_000))
}

/// Runs `work` on all threads at once while another sweeps and churns through
/// entries of its own that expire.
fn contend(counters: &Counters, gives_way: u32, work: impl Fn(usize) + Sync) {
    let (done, start) = (AtomicBool::new(false), Barrier::new(THREADS + 1));
    thread::scope(|scope| {
        scope.spawn(|| {
            GIVES_WAY.set(gives_way);
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
                    GIVES_WAY.set(gives_way);
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
    contend(counters, 256, |_| {
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
    contend(&counters, 256, |_| {
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
    contend(&counters, 256, |_| {
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
    const ROUNDS: usize = 200;
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
    let in_rounds = Mutex::new(Vec::new());
    contend(&counters, 4, |worker| {
        for _ in 0..ROUNDS {
            if worker % 2 == 0 {
                counters.sweep();
            }
            for _ in 0..6 {
                let fixed = counters.fixed_window("p", "k", window, 1).allowed;
                let full = counters.token_bucket("p", "k", bucket, 1).allowed;
                let first = counters.add("p", "k", 1, Duration::from_millis(1)) <= limit as i64;
                let passes = [fixed, full, first].map(u32::from).iter().sum();
                passed.fetch_add(passes, Ordering::Relaxed);
            }
            if rounds.wait().is_leader() {
                in_rounds
                    .lock()
                    .unwrap()
                    .push(passed.swap(0, Ordering::Relaxed));
                clock.advance(Duration::from_millis(1));
            }
            rounds.wait();
        }
    });
    assert_eq!(
        in_rounds.into_inner().unwrap(),
        vec![3 * limit as u32; ROUNDS]
    );
}

#[test]
fn the_limit_of_entries_holds_while_all_insert() {
    let counters = Counters::new(500, clock().clock());
    contend(&counters, 256, |worker| {
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
