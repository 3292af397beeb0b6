//! `balancing`: what a test says of the instances.

use super::{exchange::Phase, flight, with};

/// An instance's figures.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::testing) struct Load {
    pub(in crate::testing) in_flight: u32,
    pub(in crate::testing) latency_us: u32,
}

pub(crate) fn in_flight(index: u32) -> u32 {
    load(index).in_flight
}

pub(crate) fn all_in_flight() -> Vec<u32> {
    (0..instances())
        .map(|index| load(index).in_flight)
        .collect()
}

pub(crate) fn latency_us(index: u32) -> u32 {
    load(index).latency_us
}

pub(crate) fn tried(index: u32) -> bool {
    check(index);
    flight(|flight| flight.tried.contains(&index))
}

fn load(index: u32) -> Load {
    check(index);
    with(|state| state.loads.get(&index).copied().unwrap_or_default())
}

fn check(index: u32) {
    let count = instances();
    assert!(
        index < count,
        "a trap: there is no instance {index} among {count}"
    );
}

/// How many there are to pick from.
fn instances() -> u32 {
    let count = flight(|flight| match flight.phase {
        Phase::Pick(count) => count,
        _ => panic!("a trap: `balancing` is for `pick` only"),
    });
    u32::try_from(count).expect("invariant: a test has fewer instances")
}
