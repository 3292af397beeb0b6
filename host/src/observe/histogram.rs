//! How long requests take.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::stripes::Stripes;

/// Upper bounds in seconds, 0.5 ms to 10 s, as they are shown; the last bucket
/// has none.
const BOUNDS: [(u64, &str); 14] = [
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
];

const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts of durations by bucket, and their sum.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Histogram {
    /// Two relaxed additions.
    pub(super) fn observe(&self, duration: Duration) {
        let nanos = nanos(duration);
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < nanos);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// A duration in nanoseconds, saturating.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The sums over stripes, cumulative.
pub(super) struct Sums {
    /// Observations up to each bound.
    pub(super) up_to: [(&'static str, u64); BUCKETS],
    /// All of them.
    pub(super) nanos: u64,
}

/// Sums up. What a stripe has counted is counted once in every line, so that
/// the lines of one rendering agree.
pub(super) fn sum<T: Default>(stripes: &Stripes<T>, of: impl Fn(&T) -> &Histogram) -> Sums {
    let mut sums = Sums {
        up_to: [("+Inf", 0); BUCKETS],
        nanos: 0,
    };
    for stripe in stripes.all().map(of) {
        sums.nanos += stripe.nanos.load(Ordering::Relaxed);
        for (sum, bucket) in sums.up_to.iter_mut().zip(&stripe.buckets) {
            sum.1 += bucket.load(Ordering::Relaxed);
        }
    }
    let mut total = 0;
    for (index, sum) in sums.up_to.iter_mut().enumerate() {
        total += sum.1;
        *sum = (BOUNDS.get(index).map_or("+Inf", |bound| bound.1), total);
    }
    sums
}
