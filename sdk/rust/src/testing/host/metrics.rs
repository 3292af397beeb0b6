//! `metrics`: keeps the values for the test.

use std::collections::BTreeSet;

use super::{State, with};

const MOST_NAMES: usize = 16;
const MOST_SERIES: usize = 1_000;

/// A metric's name and labels, the labels in order of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::testing) struct Series {
    name: String,
    labels: Vec<(String, String)>,
}

impl Series {
    pub(in crate::testing) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let owned = |&(label, value): &(&str, &str)| (label.to_owned(), value.to_owned());
        let mut labels: Vec<_> = labels.iter().map(owned).collect();
        labels.sort();
        Self {
            name: name.to_owned(),
            labels,
        }
    }

    fn is_valid(&self) -> bool {
        valid(&self.name) && self.labels.iter().all(|(label, _)| valid(label))
    }
}

pub(crate) fn add(name: &str, labels: &[(&str, &str)], delta: u64) {
    change(Series::new(name, labels), |value| value + delta as f64);
}

pub(crate) fn set(name: &str, labels: &[(&str, &str)], value: f64) {
    change(Series::new(name, labels), |_| value);
}

/// Drops what the gateway would drop.
fn change(series: Series, change: impl FnOnce(f64) -> f64) {
    with(|state| {
        if series.is_valid() && has_room(state, &series) {
            let value = state.metrics.entry(series).or_default();
            *value = change(*value);
        }
    });
}

fn has_room(state: &State, series: &Series) -> bool {
    if state.metrics.contains_key(series) {
        return true;
    }
    let names: BTreeSet<&str> = state
        .metrics
        .keys()
        .map(|other| other.name.as_str())
        .collect();
    let known = names.contains(series.name.as_str());
    state.metrics.len() < MOST_SERIES && (known || names.len() < MOST_NAMES)
}

fn valid(name: &str) -> bool {
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'_');
    let first = name.bytes().next().is_some_and(letter);
    first
        && name
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}
