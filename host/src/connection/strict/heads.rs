//! What reader and library tell each other of heads.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    task::Waker,
};

use crate::respond::Error;

/// What is known of heads besides what the library says: to be asked when it hands
/// over a request, and told when that is answered.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Heads(pub(super) Rc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// What was wrong with the head in whose place another stands.
    pub(super) fault: RefCell<Option<Error>>,
    /// Heads that the library has handed over.
    begun: Cell<u64>,
    /// The number of the head behind which all waits; 0 if nothing does.
    pub(super) waits: Cell<u64>,
    pub(super) waiting: RefCell<Option<Waker>>,
}

impl Heads {
    /// The number of the request that comes now, and why it was refused; none if it
    /// is the client's. For each request once, and in their order.
    pub(in super::super) fn begin(&self) -> (u64, Option<Error>) {
        self.0.begun.update(|begun| begun + 1);
        (self.0.begun.get(), self.0.fault.take())
    }

    /// The request of this number is answered, and goes on to be HTTP: what came
    /// behind it is the next one.
    pub(in super::super) fn goes_on(&self, number: u64) {
        if self.0.waits.get() == number {
            self.0.waits.set(0);
            if let Some(waker) = self.0.waiting.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}
