//! Which connections of a worker are open, and that they end when it drains.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

use tokio::sync::Notify;

/// The connections of one worker that are open, and whether they drain.
///
/// Whether to close is looked at on each poll of each connection, so it is a
/// plain flag of the worker's own; setting it wakes the connections once.
#[derive(Clone, Default)]
pub struct Open(Rc<State>);

#[derive(Default)]
struct State {
    draining: Cell<bool>,
    closing: Cell<bool>,
    next: Cell<u64>,
    tasks: RefCell<HashMap<u64, Waker>>,
    none_left: Notify,
}

impl Open {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.tasks.borrow().len()
    }

    /// Makes every answer from now on the last of its connection, and tells
    /// clients of HTTP/2 to begin no more (GOAWAY).
    ///
    /// Connections of HTTP/1.1 without a request stay open for now: one may be on its way,
    /// above all on those that were accepted last, and closing would lose it.
    pub fn drain(&self) {
        self.0.draining.set(true);
        self.wake();
    }

    /// Closes every connection that is not at a request, and the others after
    /// it. To be called some time after `drain`.
    pub fn close_idle(&self) {
        self.0.closing.set(true);
        self.wake();
    }

    fn wake(&self) {
        for task in self.0.tasks.borrow().values() {
            task.wake_by_ref();
        }
    }

    /// Waits until there is none. Cancel safe.
    pub async fn closed(&self) {
        while self.count() > 0 {
            self.0.none_left.notified().await;
        }
    }

    pub(super) fn enter(&self) -> Entered {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        let tasks = &mut *self.0.tasks.borrow_mut();
        tasks.insert(number, Waker::noop().clone());
        Entered {
            number,
            state: Rc::clone(&self.0),
        }
    }
}

/// One open connection.
pub(super) struct Entered {
    number: u64,
    state: Rc<State>,
}

impl Entered {
    pub(super) fn draining(&self) -> bool {
        self.state.draining.get()
    }

    pub(super) fn closing(&self) -> bool {
        self.state.closing.get()
    }

    /// Wakes this task when the worker drains. A task's waker never changes, so
    /// once is enough.
    pub(super) async fn watch(&self) {
        poll_fn(|cx| {
            let mut tasks = self.state.tasks.borrow_mut();
            tasks.insert(self.number, cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }
}

impl Entered {
    /// Waits until idle connections are closed. Cancel safe.
    pub(super) async fn closes(&self) {
        poll_fn(|_| match self.closing() {
            true => Poll::Ready(()),
            // The task is woken when it changes.
            false => Poll::Pending,
        })
        .await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = {
            let mut tasks = self.state.tasks.borrow_mut();
            tasks.remove(&self.number);
            tasks.len()
        };
        if left == 0 {
            self.state.none_left.notify_one();
        }
    }
}
