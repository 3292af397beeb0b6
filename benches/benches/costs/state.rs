//! Shared counters under contention: time per operation of each of so many
//! threads, all at one key.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion};
use portcullis::state::{Bucket, Clock, Counters, Window};

const HOUR: Duration = Duration::from_secs(3_600);

/// One operation on the counter that all threads share.
type Operation = fn(&Counters);

pub(crate) fn benches(criterion: &mut Criterion) {
    let operations: [(&str, Operation); 3] = [
        ("add", |counters| {
            counters.add("bench", "key", 1, HOUR);
        }),
        ("token bucket", |counters| {
            let bucket = Bucket {
                capacity: 1_000_000_000,
                refill: 1_000_000_000,
                per: Duration::from_secs(1),
            };
            counters.token_bucket("bench", "key", bucket, 1);
        }),
        ("sliding window", |counters| {
            let window = Window {
                limit: 1_000_000_000,
                window: HOUR,
            };
            counters.sliding_window("bench", "key", window, 1);
        }),
    ];
    let mut group = criterion.benchmark_group("counter");
    for (name, operation) in operations {
        for threads in [1, 2, 4] {
            let counters = Counters::new(1_000, Clock::system());
            group.bench_function(BenchmarkId::new(name, threads), |bencher| {
                bencher.iter_custom(|times| together(&counters, operation, threads, times));
            });
        }
    }
    group.finish();
}

/// The time in which every thread has done it so many times.
fn together(counters: &Counters, operation: Operation, threads: usize, times: u64) -> Duration {
    let start = Barrier::new(threads);
    let work = || {
        start.wait();
        let began = Instant::now();
        (0..times).for_each(|_| operation(counters));
        began.elapsed()
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let took = running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        took.max().expect("at least one")
    })
}
