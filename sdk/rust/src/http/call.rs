//! A request in flight, and who waits for it.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use super::host;
use crate::executor;

std::thread_local! {
    /// Whoever waits, each once.
    static WAITING: RefCell<Vec<Rc<Call>>> = const { RefCell::new(Vec::new()) };
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) host: host::Call,
    /// Whether the gateway has said that there is something to take.
    ready: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Call {
    pub(super) fn new(host: host::Call) -> Rc<Self> {
        executor::wait_with(wait_for_any);
        Rc::new(Self {
            host,
            ready: Cell::new(false),
            waker: RefCell::new(None),
        })
    }

    /// Waits until there is a head, bytes, an end or an error to take.
    pub(super) fn ready(self: &Rc<Self>) -> Ready {
        Ready {
            call: Rc::clone(self),
        }
    }

    fn is(self: &Rc<Self>, other: &Rc<Self>) -> bool {
        Rc::ptr_eq(self, other)
    }
}

/// Waits for a call. Dropped, it is no longer waited for.
#[derive(Debug)]
pub(super) struct Ready {
    call: Rc<Call>,
}

impl Future for Ready {
    type Output = Rc<Call>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Rc<Call>> {
        let call = &self.call;
        if call.ready.take() {
            return Poll::Ready(Rc::clone(call));
        }
        call.waker.replace(Some(context.waker().clone()));
        WAITING.with_borrow_mut(|waiting| {
            if !waiting.iter().any(|other| other.is(call)) {
                waiting.push(Rc::clone(call));
            }
        });
        Poll::Pending
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| waiting.retain(|other| !other.is(&self.call)));
    }
}

/// Waits until there is something for one of those who wait, and wakes them.
fn wait_for_any() -> bool {
    let waiting = WAITING.take();
    if waiting.is_empty() {
        return false;
    }
    let calls: Vec<&host::Call> = waiting.iter().map(|call| &call.host).collect();
    for index in host::wait(&calls) {
        let call = usize::try_from(index).ok().and_then(|i| waiting.get(i));
        if let Some(call) = call {
            call.ready.set(true);
        }
    }
    let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|call| call.ready.get());
    WAITING.set(rest);
    for call in ready {
        if let Some(waker) = call.waker.take() {
            waker.wake();
        }
    }
    true
}
