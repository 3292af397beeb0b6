//! Runs a hook that is an `async fn` to its end, on the one thread there is.
//!
//! A hook that does not wait costs one poll and no allocation. One that waits
//! hands the worker over to other requests meanwhile: what is waited for is
//! known to the module that makes it ([`http`](crate::http)), which leaves here
//! how to wait. By way of a pointer, so that a plugin that never asks anybody
//! does not import what waiting needs.

use std::{
    cell::Cell,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::{Error, Result};

/// Waits until something is there for one of those who wait, and wakes them.
/// False if nobody waits.
pub(crate) type Wait = fn() -> bool;

std::thread_local! {
    static WAIT: Cell<Option<Wait>> = const { Cell::new(None) };
}

/// Says how to wait from now on.
pub(crate) fn wait_with(wait: Wait) {
    WAIT.set(Some(wait));
}

/// Runs a hook.
///
/// # Errors
/// Those of the hook, and if it waits for something that never comes: for
/// anything else than an answer to a request of its own.
pub fn run<T>(hook: impl Future<Output = Result<T>>) -> Result<T> {
    let mut hook = pin!(hook);
    let waker = Waker::noop();
    match hook.as_mut().poll(&mut Context::from_waker(waker)) {
        Poll::Ready(result) => result,
        Poll::Pending => waiting(hook),
    }
}

#[cold]
fn waiting<T>(mut hook: Pin<&mut impl Future<Output = Result<T>>>) -> Result<T> {
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    loop {
        // Polled once more at first, since nobody took note of what the poll
        // before has woken.
        while woken.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(result) = hook.as_mut().poll(&mut context) {
                return result;
            }
        }
        if !WAIT.get().is_some_and(|wait| wait()) {
            return Err(Error::failure(
                "the hook waits for something that never comes",
            ));
        }
    }
}

/// Whether it is of use to poll the hook again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, task::Poll};

    use super::*;

    #[test]
    fn a_hook_that_wakes_itself_goes_on() {
        let mut left = 3;
        let countdown = std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(Ok("done"));
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!(run(countdown).unwrap(), "done");
    }

    #[test]
    fn a_hook_that_waits_for_nothing_fails_instead_of_hanging() {
        let error = run(pending::<Result<()>>()).unwrap_err();
        assert!(error.to_string().contains("never comes"), "{error}");
    }
}
