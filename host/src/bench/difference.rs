//! Whether one of two is faster, as far as paired blocks of measurements show.

use super::interval::{Interval, median};

/// Less than this share is called no difference, however surely it was seen:
/// where code and data come to lie in memory makes as much.
const LEAST: f64 = 0.02;

/// What is said of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Faster,
    Slower,
    NoDifference,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no difference that this run can see",
        }
    }
}

/// What the new one takes more than the old one, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) old: f64,
    pub(super) new: f64,
    /// Of the median of the differences of the pairs.
    pub(super) interval: Interval,
    pub(super) verdict: Verdict,
}

impl Difference {
    /// Of blocks that were measured in pairs, the old and the new in turn.
    /// None if there are too few.
    pub(super) fn of(old: &[f64], new: &[f64]) -> Option<Self> {
        let differences: Vec<f64> = old.iter().zip(new).map(|(old, new)| new - old).collect();
        let interval = Interval::of(&differences)?;
        let (old, new) = (median(old)?, median(new)?);
        let least = old * LEAST;
        let verdict = match interval {
            Interval { high, .. } if high < -least => Verdict::Faster,
            Interval { low, .. } if low > least => Verdict::Slower,
            _ => Verdict::NoDifference,
        };
        Some(Self {
            old,
            new,
            interval,
            verdict,
        })
    }

    /// Nanoseconds as a percentage of the old one.
    pub(super) fn percent(&self, nanos: f64) -> f64 {
        match self.old > 0.0 {
            true => nanos / self.old * 100.0,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(change: f64, noise: f64) -> Verdict {
        let mut random = fastrand::Rng::with_seed(3);
        let mut block = |of: f64| of + (random.f64() - 0.5) * noise;
        let pairs: Vec<(f64, f64)> = (0..60)
            .map(|_| (block(1_000.0), block(1_000.0 + change)))
            .collect();
        let (old, new): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Difference::of(&old, &new).unwrap().verdict
    }

    #[test]
    fn only_what_stands_out_of_the_noise_is_a_difference() {
        for (change, noise, expected) in [
            (0.0, 50.0, Verdict::NoDifference),
            (100.0, 50.0, Verdict::Slower),
            (-100.0, 50.0, Verdict::Faster),
            (100.0, 5_000.0, Verdict::NoDifference),
            // Surely there, and too small to mean anything.
            (5.0, 1.0, Verdict::NoDifference),
        ] {
            assert_eq!(verdict(change, noise), expected, "{change} in {noise}");
        }
    }

    #[test]
    fn a_few_pairs_say_nothing() {
        assert_eq!(Difference::of(&[1.0; 5], &[9.0; 5]), None);
    }
}
