//! Random numbers for spreading load. Not for secrets.

use std::cell::Cell;

std::thread_local! {
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A random number, all 64 bits alike. Seeded once per instance from the
/// gateway's entropy; then a few nanoseconds each, and no call of the gateway.
/// In tests the sequence is always the same.
pub fn u64() -> u64 {
    STATE.with(|state| {
        let counter = state
            .get()
            .unwrap_or_else(seed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(Some(counter));
        mix(counter)
    })
}

/// Starts this thread's sequence anew.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn restart(seed: u64) {
    STATE.set(Some(seed));
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The standard library's hash keys are the platform's entropy.
#[cfg(target_family = "wasm")]
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[cfg(not(target_family = "wasm"))]
fn seed() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_repeats_from_its_seed_and_spreads() {
        restart(7);
        let first: Vec<u64> = (0..1_000).map(|_| u64()).collect();
        restart(7);
        assert!(first.iter().all(|&number| number == u64()));
        let high = first
            .iter()
            .filter(|&&number| number > u64::MAX / 2)
            .count();
        assert!(
            (400..600).contains(&high),
            "{high} of 1000 in the upper half"
        );
    }
}
