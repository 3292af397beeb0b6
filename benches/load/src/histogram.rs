//! How many requests took how long: counts in buckets that grow with the value,
//! so that any percentile is known to better than one per cent.

use std::time::Duration;

/// Each power of two is divided into this many buckets.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// A bucket for every nanosecond up to [`STEPS`], then a row of [`STEPS`] for
/// each further power of two.
const BUCKETS: usize = (STEPS * (64 - STEP_BITS as u64 + 1)) as usize;

/// Latencies of any length.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// The latency, in microseconds, that a share of all stayed within; 0 if
    /// there are none. The share is from 0 to 1.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(bucket) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    // The value has this many bits more than fit a row.
    let shift = value.ilog2() - STEP_BITS;
    let row = u64::from(shift) + 1;
    ((row * STEPS) + ((value >> shift) - STEPS)) as usize
}

/// The middle of a bucket, in nanoseconds.
fn middle(bucket: usize) -> f64 {
    let (row, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if row == 0 {
        return step as f64;
    }
    let width = 2f64.powi(row as i32 - 1);
    ((STEPS + step) as f64 + 0.5) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_per_cent() {
        let mut histogram = Histogram::new();
        for microseconds in 1..=10_000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        for (share, expected) in [
            (0.5, 5000.0),
            (0.99, 9900.0),
            (0.999, 9990.0),
            (1.0, 10_000.0),
        ] {
            let found = histogram.quantile(share);
            assert!((found / expected - 1.0).abs() < 0.01, "{share}: {found}");
        }
    }

    #[test]
    fn every_length_has_a_bucket_that_is_close_to_it() {
        for power in 0..64 {
            for value in [1u64 << power, (1 << power) | 1, u64::MAX >> (63 - power)] {
                let close = middle(bucket(value)) / value as f64;
                assert!((close - 1.0).abs() < 0.01, "{value}: {close}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_took_no_time() {
        assert_eq!(Histogram::new().quantile(0.99), 0.0);
    }
}
