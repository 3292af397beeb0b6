//! Durations by size: exact below 64 ns, and in steps of at most 1.6 % above.

/// Steps to a power of two.
const STEPS: usize = 64;

/// The powers of two up to 2⁴⁰ ns, some eighteen minutes; longer is as long.
const POWERS: usize = 40;

/// Steps' width as a power of two: log₂ of `STEPS`.
const BITS: usize = 6;

/// Counts of durations in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; (POWERS - BITS + 1) * STEPS],
            count: 0,
            sum: 0,
        }
    }
}

impl Histogram {
    #[inline]
    pub(super) fn record(&mut self, nanos: u64) {
        self.counts[index(nanos)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(nanos);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all, in nanoseconds.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// The exact mean in nanoseconds; none of nothing.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The duration that so many hundredths are not above: the middle of its
    /// step. None of nothing.
    pub(super) fn percentile(&self, hundredths: u64) -> Option<f64> {
        let rank = (self.count * hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(middle(step))
    }
}

/// The step of a duration.
fn index(nanos: u64) -> usize {
    let nanos = nanos.min((1 << POWERS) - 1);
    let power = nanos.checked_ilog2().unwrap_or(0) as usize;
    match power < BITS {
        true => nanos as usize,
        false => {
            let shift = power - BITS;
            (shift + 1) * STEPS + ((nanos >> shift) as usize & (STEPS - 1))
        }
    }
}

/// The middle of a step.
fn middle(index: usize) -> f64 {
    let (block, within) = (index / STEPS, index % STEPS);
    match block {
        0 => within as f64,
        block => {
            let width = 1_u64 << (block - 1);
            let low = (STEPS + within) as u64 * width;
            low as f64 + (width - 1) as f64 / 2.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_never_wider_than_a_sixty_fourth() {
        for nanos in (0..10_000).chain([99_999, 1 << 20, (1 << 33) + 12_345, (1 << 40) - 1]) {
            let error = (middle(index(nanos)) - nanos as f64).abs();
            assert!(error * 128.0 <= nanos as f64, "{nanos}: {error}");
        }
        assert_eq!(index(u64::MAX), index((1 << 40) - 1));
        assert_eq!(index(u64::MAX), Histogram::default().counts.len() - 1);
    }

    #[test]
    fn percentiles_and_mean_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50), histogram.mean()), (None, None));
        (1..=1_000).for_each(|nanos| histogram.record(nanos));
        assert_eq!(histogram.mean(), Some(500.5));
        for (hundredths, expected) in [(50, 500.0), (99, 990.0), (100, 1_000.0)] {
            let found = histogram.percentile(hundredths).unwrap();
            assert!((found - expected).abs() <= expected / 64.0, "{found}");
        }
        assert_eq!((histogram.count(), histogram.sum()), (1_000, 500_500));
    }
}
