//! Calls of one plugin that are made aside, one after the other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Relaxed},
    },
    thread,
};

use crossbeam_queue::SegQueue;

use super::lanes::{Job, Lanes};

/// A line of calls. One of them is done at a time, and then other lines have
/// their turn: a plugin that takes long holds up itself.
#[derive(Default)]
pub struct Line {
    jobs: SegQueue<Job>,
    /// How many there are, that which is being done included.
    length: AtomicUsize,
}

/// There are as many in the line as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Line {
    /// Puts a call at the end, unless there are `most` before it.
    ///
    /// # Errors
    ///
    /// The line is full, and the call is dropped.
    pub fn join(
        self: &Arc<Self>,
        lanes: &Arc<Lanes>,
        most: usize,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), Full> {
        let shorter = |length| (length < most).then_some(length + 1);
        let before = (self.length)
            .fetch_update(AcqRel, Relaxed, shorter)
            .map_err(|_| Full)?;
        self.jobs.push(Box::new(job));
        if before == 0 {
            self.next(lanes);
        }
        Ok(())
    }

    /// Has the first one done, and then the next.
    fn next(self: &Arc<Self>, lanes: &Arc<Lanes>) {
        let (line, again) = (Arc::clone(self), Arc::clone(lanes));
        lanes.run(move || {
            let job = loop {
                match line.jobs.pop() {
                    Some(job) => break job,
                    // It is counted already, and is about to come.
                    None => thread::yield_now(),
                }
            };
            // Whoever waits for it finds out that nothing comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
            if line.length.fetch_sub(1, AcqRel) > 1 {
                line.next(&again);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn calls_are_made_one_after_the_other_and_not_too_many_wait() {
        let (line, lanes) = (Arc::new(Line::default()), Arc::new(Lanes::default()));
        let (go, gone) = mpsc::channel::<()>();
        let (send, receive) = mpsc::channel();
        let join = |job: Job| line.join(&lanes, 10, job);
        join(Box::new(move || gone.recv().unwrap())).unwrap();
        for number in 1..10 {
            let send = send.clone();
            join(Box::new(move || send.send(number).unwrap())).unwrap();
        }
        assert_eq!(join(Box::new(|| {})), Err(Full));
        assert!(receive.try_recv().is_err(), "the first is not done");
        go.send(()).unwrap();
        for number in 1..10 {
            assert_eq!(receive.recv_timeout(LONG), Ok(number));
        }
    }

    #[test]
    fn who_has_a_line_to_himself_does_not_wait_for_a_long_one() {
        let lanes = Arc::new(Lanes::default());
        let (long, short) = (Arc::new(Line::default()), Arc::new(Line::default()));
        let (send, receive) = mpsc::channel();
        let say = |what: usize| {
            let send = send.clone();
            move || send.send(what).unwrap()
        };
        // Whatever number of threads there is, they are busy until both lines stand.
        let (go, gone) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(gone));
        for _ in 0..64 {
            let held = Arc::clone(&held);
            lanes.run(move || held.lock().unwrap().recv().unwrap());
        }
        for _ in 0..1_000 {
            long.join(&lanes, 2_000, say(0)).unwrap();
        }
        short.join(&lanes, 1, say(1)).unwrap();
        (0..64).for_each(|_| go.send(()).unwrap());
        let before = (0..).take_while(|_| receive.recv_timeout(LONG) == Ok(0));
        assert!(
            before.count() < 500,
            "the short line waits for the long one"
        );
    }

    #[test]
    fn a_panic_holds_up_nobody() {
        let (line, lanes) = (Arc::new(Line::default()), Arc::new(Lanes::default()));
        let (send, receive) = mpsc::channel();
        line.join(&lanes, 2, || panic!("planted")).unwrap();
        line.join(&lanes, 2, move || send.send(()).unwrap())
            .unwrap();
        assert_eq!(receive.recv_timeout(LONG), Ok(()));
    }
}
