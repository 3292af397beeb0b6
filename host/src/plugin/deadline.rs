//! When a call has run for too long.
//!
//! The clock is the engine's epoch, which also goes on while the thread of a
//! call does not run, and jumps when the clock's own thread was kept waiting.
//! So a deadline is reached twice: the first half only says that a call may
//! be late, the second, counted from there, that it really ran on. A plugin
//! that loops is stopped on time; one whose machine is busy is not.
//!
//! A call that may wait is on a stack of its own and can be left at every tick,
//! so that its worker serves others meanwhile. What it computes is measured.

use std::sync::Arc;

use tokio::task::yield_now;
use wasmtime::{Result, Store, StoreContextMut, UpdateDeadline};

use super::{
    data::Data,
    ticker::{Activity, TICK},
};

/// Gives a store its deadlines. Once, before anything is called.
pub(super) fn arm(store: &mut Store<Data>, activity: Arc<Activity>) {
    store.epoch_deadline_callback(move |store| reached(store, &activity));
}

/// Lets the call that comes now run for so many ticks.
#[inline]
pub(super) fn set(store: &mut Store<Data>, ticks: u64) {
    let first = ticks.div_ceil(2);
    store.set_epoch_deadline(first);
    store.data_mut().ticks_left = ticks - first;
}

/// Lets the call that comes now run in slices, as long as its pace says.
pub(super) fn pace(store: &mut Store<Data>) {
    store.set_epoch_deadline(1);
}

#[cold]
fn reached(mut store: StoreContextMut<'_, Data>, activity: &Activity) -> Result<UpdateDeadline> {
    if let Some(pace) = &store.data().pace {
        return Ok(match pace.current() {
            _ if pace.is_over() => UpdateDeadline::Interrupt,
            // The tick came soon after the call went on.
            short if short < TICK / 2 => UpdateDeadline::Continue(1),
            // Tokio's own yield lets it look for input and output before the
            // call goes on; to wake oneself does not.
            _ => UpdateDeadline::YieldCustom(1, Box::pin(yield_now())),
        });
    }
    Ok(match std::mem::take(&mut store.data_mut().ticks_left) {
        0 => UpdateDeadline::Interrupt,
        left => {
            // After a long pause the clock may have stopped.
            activity.begin();
            UpdateDeadline::Continue(left)
        }
    })
}
