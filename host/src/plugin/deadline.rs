//! When a call has run for too long.
//!
//! The clock is the engine's epoch, which also goes on while the thread of a
//! call does not run, and jumps when the clock's own thread was kept waiting.
//! So when a call's time is over, the processor time of its thread is asked, too.
//! A plugin that loops is stopped on time; one whose machine is busy is not.
//!
//! The same clock finds plugins that take long, see [`tempo`](super::tempo).
//!
//! A call that may wait is on a stack of its own and can be left at every tick,
//! so that its worker serves others meanwhile. What it computes is measured.

use std::{sync::Arc, time::Duration};

use tokio::task::yield_now;
use wasmtime::{Store, UpdateDeadline};

use super::{
    data::Data,
    lanes,
    pace::Pace,
    tempo::{LONG, Tempo, processor_time},
    ticker::{Activity, TICK},
};

/// The time of the call that runs.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// How many ticks it may last.
    most: u64,
    /// How many have passed.
    passed: u64,
    /// The processor time of its thread when the first had passed.
    began: Duration,
}

/// Gives a store its deadlines. Once, before anything is called.
pub(super) fn arm(store: &mut Store<Data>, activity: Arc<Activity>, tempo: Arc<Tempo>) {
    store.epoch_deadline_callback(move |mut store| {
        // After a long pause the clock may have stopped.
        activity.begin();
        Ok(match &store.data().pace {
            Some(pace) => slice(pace),
            None => look(store.data_mut(), &tempo),
        })
    });
}

/// Lets the call that comes now run for so many ticks.
#[inline]
pub(super) fn set(store: &mut Store<Data>, ticks: u64) {
    store.set_epoch_deadline(1);
    let clock = &mut store.data_mut().clock;
    clock.most = ticks;
    clock.passed = 0;
}

/// Lets the call that comes now run in slices, as long as its pace says.
pub(super) fn pace(store: &mut Store<Data>) {
    store.set_epoch_deadline(1);
}

/// A call is looked at whenever the epoch ticks, until it is known to take long;
/// and when its time is over.
#[cold]
fn look(data: &mut Data, tempo: &Tempo) -> UpdateDeadline {
    lanes::give_way();
    let now = processor_time();
    let clock = &mut data.clock;
    clock.passed += 1;
    if clock.passed == 1 {
        clock.began = now;
        return UpdateDeadline::Continue(1);
    }
    let used = now.saturating_sub(clock.began);
    let left = clock.most.saturating_sub(clock.passed);
    let half = TICK.as_nanos() * u128::from(clock.most) / 2;
    let next = match left {
        0 if used.as_nanos() >= half => UpdateDeadline::Interrupt,
        // Its thread had little of the time.
        0 => UpdateDeadline::Continue(clock.most.div_ceil(2)),
        _ if used < LONG || lanes::is_aside() => UpdateDeadline::Continue(1),
        _ => {
            clock.passed = clock.most - 1;
            UpdateDeadline::Continue(left)
        }
    };
    if used >= LONG && data.can_be_aside() {
        tempo.slow(&data.identity.name);
    }
    next
}

/// A call that may wait has come to the end of a slice.
#[cold]
fn slice(pace: &Pace) -> UpdateDeadline {
    match pace.current() {
        _ if pace.is_over() => UpdateDeadline::Interrupt,
        // The tick came soon after the call went on.
        short if short < TICK / 2 => UpdateDeadline::Continue(1),
        // Tokio's own yield lets it look for input and output before the call
        // goes on; to wake oneself does not.
        _ => UpdateDeadline::YieldCustom(1, Box::pin(yield_now())),
    }
}
