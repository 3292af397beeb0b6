//! The confidence interval of a median, by order statistics: exact whatever the
//! distribution is, and without a random number.

/// The most values: the probabilities below are in range up to here.
pub(super) const MOST: usize = 1_000;

/// How often the true median may lie outside, on each side.
const BEYOND: f64 = 0.025;

/// A median and its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
}

impl Interval {
    /// Of up to [`MOST`] independent values; none of fewer than six, from which
    /// no such interval follows.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.truncate(MOST);
        sorted.sort_unstable_by(f64::total_cmp);
        let outside = outside(sorted.len())?;
        Some(Self {
            low: sorted[outside],
            median: median_of_sorted(&sorted)?,
            high: sorted[sorted.len() - 1 - outside],
        })
    }
}

/// The median; none of nothing.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted.get(middle).copied(),
        _ => Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0),
    }
}

/// How many of the sorted values lie outside the interval on each side: the
/// number of values below the true median is binomial with one half.
fn outside(count: usize) -> Option<usize> {
    let power = i32::try_from(count).ok()?;
    let mut probability = 0.5_f64.powi(power);
    let mut sum = probability;
    let mut below = 0;
    while sum <= BEYOND {
        probability *= (count - below) as f64 / (below + 1) as f64;
        sum += probability;
        below += 1;
    }
    below.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Ranks of the 95 % interval of a median, from 1.
        for (count, rank) in [
            (6, 1),
            (8, 1),
            (9, 2),
            (20, 6),
            (50, 18),
            (100, 40),
            (1_000, 469),
        ] {
            assert_eq!(outside(count), Some(rank - 1), "{count}");
        }
        assert_eq!(outside(5), None);
    }

    #[test]
    fn an_interval_is_around_the_median_and_not_moved_by_outliers() {
        let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
        let interval = Interval::of(&values).unwrap();
        assert_eq!(
            (interval.low, interval.median, interval.high),
            (40.0, 50.5, 61.0)
        );
        values[99] = 1e9;
        assert_eq!(Interval::of(&values), Some(interval));
        assert_eq!(Interval::of(&values[..5]), None);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_true_median() {
        let mut random = fastrand::Rng::with_seed(7);
        let holds = |random: &mut fastrand::Rng| {
            let values: Vec<f64> = (0..50).map(|_| random.f64().powi(3)).collect();
            let interval = Interval::of(&values).unwrap();
            (interval.low..=interval.high).contains(&0.125)
        };
        let held = (0..2_000).filter(|_| holds(&mut random)).count();
        assert!((1_880..=1_980).contains(&held), "{held}");
    }
}
