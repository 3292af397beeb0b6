//! What is noted at each call of a hook: its time, its work, or nothing.

use std::time::Instant;

use crate::plugin::Work;

use super::{clock::nanos, histogram::Histogram};

/// Watches calls. `work` asks the instance what it has done so far; only who
/// wants to know calls it.
pub(super) trait Watch {
    /// What is kept from the beginning of a call to its end.
    type Mark;

    /// A call begins.
    fn begin(&mut self, work: impl FnOnce() -> Option<Work>) -> Self::Mark;

    /// It has ended.
    fn end(&mut self, row: usize, mark: Self::Mark, work: impl FnOnce() -> Option<Work>);
}

/// Notes nothing.
pub(super) struct Nobody;

impl Watch for Nobody {
    type Mark = ();

    fn begin(&mut self, _: impl FnOnce() -> Option<Work>) {}

    fn end(&mut self, _: usize, (): (), _: impl FnOnce() -> Option<Work>) {}
}

/// Notes how long calls take, row by row.
pub(super) struct Stopwatch<R>(pub(super) Vec<R>);

/// Where times go, in nanoseconds: a histogram, or a list of all.
pub(super) trait Record: Clone + Default {
    fn note(&mut self, nanos: u64);
}

impl Record for Histogram {
    #[inline]
    fn note(&mut self, nanos: u64) {
        self.record(nanos);
    }
}

impl Record for Vec<u64> {
    #[inline]
    fn note(&mut self, nanos: u64) {
        self.push(nanos);
    }
}

impl<R: Record> Stopwatch<R> {
    pub(super) fn new(rows: usize) -> Self {
        Self(vec![R::default(); rows])
    }
}

impl<R: Record> Watch for Stopwatch<R> {
    type Mark = Instant;

    #[inline]
    fn begin(&mut self, _: impl FnOnce() -> Option<Work>) -> Instant {
        Instant::now()
    }

    #[inline]
    fn end(&mut self, row: usize, started: Instant, _: impl FnOnce() -> Option<Work>) {
        let took = started.elapsed();
        self.0[row].note(nanos(took));
    }
}

/// Notes the work of every call, in a runtime that counts.
pub(super) struct Accountant(Vec<Vec<Work>>);

impl Accountant {
    pub(super) fn new(rows: usize) -> Self {
        Self(vec![Vec::new(); rows])
    }

    /// The median of each row and kind of work; none where nothing was counted.
    pub(super) fn medians(mut self) -> Vec<Option<Work>> {
        self.0.iter_mut().map(|calls| median(calls)).collect()
    }
}

impl Watch for Accountant {
    type Mark = Work;

    /// An instance that is still to be made has done nothing.
    fn begin(&mut self, work: impl FnOnce() -> Option<Work>) -> Work {
        work().unwrap_or_default()
    }

    /// Of an instance that a trap has ended nothing is known.
    fn end(&mut self, row: usize, before: Work, work: impl FnOnce() -> Option<Work>) {
        if let Some(after) = work() {
            self.0[row].push(after.since(before));
        }
    }
}

fn median(calls: &mut [Work]) -> Option<Work> {
    let middle = calls.len() / 2;
    let mut of = |kind: fn(&Work) -> u64| {
        calls.sort_unstable_by_key(kind);
        calls.get(middle).map(kind)
    };
    Some(Work {
        instructions: of(|work| work.instructions)?,
        host_calls: of(|work| work.host_calls)?,
        bytes_to_host: of(|work| work.bytes_to_host)?,
        bytes_to_plugin: of(|work| work.bytes_to_plugin)?,
    })
}
