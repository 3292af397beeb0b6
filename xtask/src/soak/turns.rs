//! Windows without an attack and with one, in turns, and which of them count.
//!
//! The machine may do other things meanwhile. Turns in which it did are told by
//! their windows without the attack alone, and repeated.

use crate::bench::load::{statistics::median, tool::Counted};

/// How many times the turns that are wanted there are at most, until enough of
/// them were calm.
const PATIENT: u32 = 4;
/// How much longer others may take under an attack: this part of what they took,
/// or this many microseconds, whichever is more.
const LONGER: f64 = 1.10;
const LONGER_US: f64 = 1_000.0;

/// One window without the attack and one with it.
pub(crate) struct Turn<A> {
    /// The usual traffic, without and with.
    pub(crate) before: Counted,
    pub(crate) under: Counted,
    /// What the attack did.
    pub(crate) attack: A,
}

/// The turns in which the machine did nothing else: in the windows without the
/// attack before and after it, if there is one after, the usual traffic took at
/// most twice what it took in the quickest of them. What it took under the attack
/// is not asked.
pub(crate) fn calm<A>(turns: &[Turn<A>]) -> impl Iterator<Item = &Turn<A>> {
    let least = turns.iter().map(|turn| turn.before.p99_us);
    let bound = 2.0 * least.fold(f64::INFINITY, f64::min);
    turns.iter().enumerate().filter_map(move |(number, turn)| {
        let around = &turns[number..turns.len().min(number + 2)];
        let calm = around.iter().all(|turn| turn.before.p99_us <= bound);
        calm.then_some(turn)
    })
}

/// True if so many were calm, or if it is no use to wait for that any longer.
pub(crate) fn enough<A>(turns: &[Turn<A>], wanted: u32) -> bool {
    let wanted = wanted as usize;
    calm(turns).count() >= wanted || turns.len() >= wanted * PATIENT as usize
}

/// The median of a figure over the calm ones.
pub(crate) fn middle<A>(turns: &[Turn<A>], figure: impl Fn(&Turn<A>) -> f64) -> f64 {
    median(calm(turns).map(figure)).unwrap_or(f64::NAN)
}

/// Requests of the usual traffic that failed, in all turns.
pub(crate) fn failed<A>(turns: &[Turn<A>]) -> u64 {
    let failed = |turn: &Turn<A>| turn.under.failed + turn.before.failed;
    turns.iter().map(failed).sum()
}

/// What the usual traffic may take under an attack, in microseconds.
pub(crate) fn limit(without: f64) -> f64 {
    (without * LONGER).max(without + LONGER_US)
}

/// What is said of how turns were counted.
pub(crate) fn note(seconds: f64, wanted: u32) -> String {
    format!(
        "turns of {:.1} s without and with, until {wanted} of them were\n\
         calm: the windows without before and after took no more than twice what the quickest took.",
        seconds / f64::from(wanted),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(before: &[f64]) -> Vec<Turn<()>> {
        let turn = |p99_us: &f64| Turn {
            before: Counted {
                p99_us: *p99_us,
                ..Counted::default()
            },
            under: Counted::default(),
            attack: (),
        };
        before.iter().map(turn).collect()
    }

    #[test]
    fn turns_count_while_the_machine_does_nothing_else() {
        for (before, expected) in [
            (&[400.0, 800.0, 500.0][..], 3),
            (&[400.0, 801.0, 500.0], 1),
            (&[9_000.0, 400.0, 500.0], 2),
            (&[9_000.0, 400.0, 7_000.0], 0),
            (&[400.0], 1),
            (&[], 0),
        ] {
            assert_eq!(calm(&turns(before)).count(), expected, "{before:?}");
        }
    }

    #[test]
    fn patience_has_an_end() {
        assert!(!enough(&turns(&[400.0, 9_000.0, 400.0]), 2));
        assert!(enough(&turns(&[400.0, 400.0]), 2));
        assert!(enough(&turns(&[400.0, 9_000.0].repeat(4)), 2));
    }
}
