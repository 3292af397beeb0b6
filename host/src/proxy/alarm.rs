//! A timer for one request after another.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The time was over before what was waited for had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late;

/// A timer that a task has for all its requests, one at a time. It is set when the
/// first of them waits, and after that only where it went off or a request has less
/// time: nearly all are over long before, so that nearly none sets it.
#[derive(Debug, Default)]
pub struct Alarm {
    timer: RefCell<Option<Pin<Box<Sleep>>>>,
    /// The timer knows its task, which never changes, and has not gone off.
    armed: Cell<bool>,
}

impl Alarm {
    /// Waits for something, but not beyond a time. Cancel safe if that is.
    pub(super) async fn until<T>(
        &self,
        time: Instant,
        waited: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let mut waited = pin!(waited);
        poll_fn(|cx| match waited.as_mut().poll(cx) {
            Poll::Ready(come) => Poll::Ready(Ok(come)),
            Poll::Pending => self.poll_late(cx, time).map(Err),
        })
        .await
    }

    fn poll_late(&self, cx: &mut Context<'_>, time: Instant) -> Poll<Late> {
        let mut timer = self.timer.borrow_mut();
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(time)));
        if time < timer.deadline() {
            timer.as_mut().reset(time);
        }
        loop {
            if self.armed.get() && !timer.is_elapsed() {
                return Poll::Pending;
            }
            let polled = timer.as_mut().poll(cx);
            self.armed.set(polled.is_pending());
            ready!(polled);
            if timer.deadline() >= time {
                return Poll::Ready(Late);
            }
            // It went off for a request before this one.
            timer.as_mut().reset(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let test = async { tokio::time::timeout(Duration::from_secs(10), test).await };
        runtime.block_on(test).expect("an end in time");
    }

    #[test]
    fn each_request_has_its_own_time() {
        run(async {
            let alarm = Alarm::default();
            for millis in [40, 10, 60, 0].map(Duration::from_millis) {
                let begun = Instant::now();
                let until = begun + millis;
                assert_eq!(alarm.until(until, pending::<()>()).await, Err(Late));
                assert!(begun.elapsed() >= millis);
            }
        });
    }

    #[test]
    fn the_time_of_a_request_before_is_not_that_of_the_next() {
        run(async {
            let alarm = Alarm::default();
            let soon = Instant::now() + Duration::from_millis(20);
            // Sets it, and is over before it goes off.
            let mut first = pin!(alarm.until(soon, pending::<()>()));
            let come = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
            assert!(!come);
            let later = soon + Duration::from_millis(40);
            assert_eq!(alarm.until(later, pending::<()>()).await, Err(Late));
            assert!(Instant::now() >= later);
            // And the other way round: one with less time does not wait for it.
            let far = Instant::now() + Duration::from_secs(3_600);
            let mut long = pin!(alarm.until(far, pending::<()>()));
            let come = poll_fn(|cx| Poll::Ready(long.as_mut().poll(cx).is_ready())).await;
            assert!(!come);
            let soon = Instant::now() + Duration::from_millis(20);
            assert_eq!(alarm.until(soon, pending::<()>()).await, Err(Late));
        });
    }

    #[test]
    fn what_comes_in_time_is_had() {
        run(async {
            let alarm = Alarm::default();
            let past = Instant::now();
            assert_eq!(alarm.until(past, async { 7 }).await, Ok(7));
        });
    }
}
