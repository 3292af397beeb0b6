//! Medians and spreads. Values that are no numbers are passed over, so that
//! none is ever written.

/// The middle of some values, and their ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// The spread of values; `None` if there are none.
pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<_> = values
        .into_iter()
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    Some(Spread {
        median: f64::midpoint(lower, upper),
        least,
        most,
    })
}

/// The median of values; `None` if there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    spread(values).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (&[3.0, 1.0, 2.0][..], Some((2.0, 1.0, 3.0))),
            (&[4.0, 1.0, 2.0, 3.0], Some((2.5, 1.0, 4.0))),
            (&[7.0], Some((7.0, 7.0, 7.0))),
            (&[f64::NAN, 1.0, f64::INFINITY], Some((1.0, 1.0, 1.0))),
            (&[f64::NAN], None),
            (&[], None),
        ] {
            let found = spread(values.iter().copied());
            let found = found.map(|spread| (spread.median, spread.least, spread.most));
            assert_eq!(found, expected, "{values:?}");
        }
    }
}
