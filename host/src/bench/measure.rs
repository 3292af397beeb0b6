//! Measures a route's pipeline: time and processor time of each hook and of the
//! whole, and, in a runtime that counts, the work.
//!
//! Each figure has a pass of its own, so that none disturbs another; passes take
//! turns, so that a machine that is busy for a while is so for all of them:
//!
//! - Time: exchange by exchange, as they are served, the clock read before and
//!   after each call.
//! - Processor time of a hook: a block of exchanges, hook by hook, since the
//!   processor's clock is too slow to be read for each call.
//! - The whole: exchange by exchange, by the code that serves.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use crate::plugin::Work;

use super::{
    Effort,
    canned::Canned,
    clock::{nanos, processor},
    histogram::Histogram,
    ledger::Ledger,
    passage::Passage,
    scene::Scene,
    track::Track,
    watch::{Accountant, Nobody, Stopwatch, Watch},
    whole::Whole,
};

/// How often the passes take turns.
const ROUNDS: u32 = 10;

/// The most exchanges between two looks at how long it has taken.
const MOST_BLOCK: u64 = 128;

/// What was measured.
pub(super) struct Measured {
    pub(super) track: Track,
    /// Time and processor time by row.
    pub(super) rows: Vec<Times>,
    pub(super) whole: Times,
    /// What came of the calls that were timed.
    pub(super) ledger: Ledger,
    /// Requests of which the hooks were timed.
    pub(super) requests: u64,
    /// Calls in a row of which the processor time was measured.
    pub(super) block: u64,
}

/// How long something takes.
#[derive(Debug, Clone)]
pub(super) struct Times {
    pub(super) wall: Histogram,
    /// Processor time of one call in nanoseconds; none if there was no call.
    pub(super) processor: Option<f64>,
}

impl Times {
    fn new(wall: Histogram, processor: Processor) -> Self {
        Self {
            wall,
            processor: processor.per_call(),
        }
    }
}

/// Processor time of calls.
#[derive(Debug, Clone, Copy, Default)]
struct Processor {
    took: Duration,
    calls: u64,
}

impl Processor {
    fn add(&mut self, took: Duration, calls: u64) {
        self.took += took;
        self.calls += calls;
    }

    fn per_call(self) -> Option<f64> {
        (self.calls > 0).then(|| nanos(self.took) as f64 / self.calls as f64)
    }
}

/// How long one pass goes on in one round.
struct Budget {
    until: Option<Instant>,
    left: u64,
    block: u64,
}

impl Budget {
    /// A share of the effort in hundredths, of which this round is a part. Of
    /// requests it is all of them, whatever the share.
    fn new(effort: Effort, hundredths: u32, round: u32, block: u64) -> Self {
        match effort {
            Effort::Time(time) => Self {
                until: Some(Instant::now() + time * hundredths / 100 / ROUNDS),
                left: u64::MAX,
                block,
            },
            Effort::Requests(requests) => {
                let before = |round: u32| requests * u64::from(round) / u64::from(ROUNDS);
                Self {
                    until: None,
                    left: before(round + 1) - before(round),
                    block,
                }
            }
        }
    }

    /// All of so many requests.
    fn requests(requests: u64) -> Self {
        Self {
            until: None,
            left: requests,
            block: MOST_BLOCK,
        }
    }

    /// How many exchanges to go on with; none at the end.
    fn block(&mut self) -> Option<u64> {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        let block = self.left.min(self.block);
        self.left -= block;
        (block > 0 && !over).then_some(block)
    }
}

/// Measures all but the work.
pub(super) fn measure(scene: &Scene, canned: &Canned, effort: Effort) -> Measured {
    let track = Track::of(scene);
    let rows = track.rows.len();
    let block = warm_up(scene, canned, &track, effort);
    let (mut watch, mut ledger) = (Stopwatch::new(rows), Ledger::new(rows));
    let mut by_row = vec![Processor::default(); rows];
    let mut whole = Histogram::default();
    let mut of_whole = Processor::default();
    let mut requests = 0;
    for round in 0..ROUNDS {
        let budget = |hundredths| Budget::new(effort, hundredths, round, block);
        requests += walk(scene, canned, &track, budget(40), &mut watch, &mut ledger);
        hook_by_hook(scene, canned, &track, budget(25), &mut by_row);
        time_whole(scene, canned, budget(15), &mut whole);
        run_whole(scene, canned, budget(15), &mut of_whole);
    }
    let rows = watch.0.into_iter().zip(by_row);
    Measured {
        track,
        rows: rows
            .map(|(wall, processor)| Times::new(wall, processor))
            .collect(),
        whole: Times::new(whole, of_whole),
        ledger,
        requests,
        block,
    }
}

/// Counts the work of so many exchanges, by row.
pub(super) fn observe(scene: &Scene, canned: &Canned, requests: u64) -> Vec<Option<Work>> {
    let track = Track::of(scene);
    warm_up(scene, canned, &track, Effort::Requests(requests));
    let rows = track.rows.len();
    let mut watch = Accountant::new(rows);
    let budget = Budget::requests(requests);
    walk(
        scene,
        canned,
        &track,
        budget,
        &mut watch,
        &mut Ledger::new(rows),
    );
    watch.medians()
}

/// Fills caches: the processor's, and those of plugins (tokens, keys). Says how
/// many exchanges a block may have without taking much longer than it may.
fn warm_up(scene: &Scene, canned: &Canned, track: &Track, effort: Effort) -> u64 {
    let mut ledger = Ledger::new(track.rows.len());
    let budget = Budget::new(effort, 50, 0, 1);
    let started = Instant::now();
    let requests = walk(scene, canned, track, budget, &mut Nobody, &mut ledger);
    match effort {
        Effort::Requests(_) => MOST_BLOCK,
        Effort::Time(time) => {
            let each = nanos(started.elapsed()) / requests.max(1);
            // The shortest pass of a round is some seventieth of the time.
            (nanos(time / 100) / each.max(1)).clamp(1, MOST_BLOCK)
        }
    }
}

/// Exchange by exchange, as a worker serves them.
fn walk(
    scene: &Scene,
    canned: &Canned,
    track: &Track,
    mut budget: Budget,
    watch: &mut impl Watch,
    ledger: &mut Ledger,
) -> u64 {
    let mut requests = 0;
    while let Some(block) = budget.block() {
        requests += block;
        (0..block).for_each(|_| pass(scene, canned, track, watch, ledger));
    }
    requests
}

/// One exchange from its first hook to its last.
pub(super) fn pass(
    scene: &Scene,
    canned: &Canned,
    track: &Track,
    watch: &mut impl Watch,
    ledger: &mut Ledger,
) {
    let mut passage = Passage::new(scene, canned);
    for leg in &track.legs {
        passage.go(*leg, watch, ledger);
    }
    black_box(&passage);
}

/// Blocks of exchanges, hook by hook.
fn hook_by_hook(
    scene: &Scene,
    canned: &Canned,
    track: &Track,
    mut budget: Budget,
    by_row: &mut [Processor],
) {
    while let Some(block) = budget.block() {
        let mut ledger = Ledger::new(by_row.len());
        let mut passages: Vec<_> = (0..block).map(|_| Passage::new(scene, canned)).collect();
        for leg in &track.legs {
            let before = processor();
            for passage in &mut passages {
                passage.go(*leg, &mut Nobody, &mut ledger);
            }
            let took = processor() - before;
            by_row[leg.row].add(took, ledger.row(leg.row).calls);
        }
    }
}

fn time_whole(scene: &Scene, canned: &Canned, mut budget: Budget, times: &mut Histogram) {
    while let Some(block) = budget.block() {
        for _ in 0..block {
            let mut whole = Whole::new(scene, canned);
            let started = Instant::now();
            whole.go(scene);
            times.record(nanos(started.elapsed()));
            black_box(&whole);
        }
    }
}

fn run_whole(scene: &Scene, canned: &Canned, mut budget: Budget, into: &mut Processor) {
    while let Some(block) = budget.block() {
        let mut all: Vec<_> = (0..block).map(|_| Whole::new(scene, canned)).collect();
        let before = processor();
        all.iter_mut().for_each(|whole| whole.go(scene));
        into.add(processor() - before, block);
    }
}
