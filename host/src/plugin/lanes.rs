//! Threads beside the workers, for calls of plugins that take long.
//!
//! They yield to the workers: there are fewer of them than processors, the
//! scheduler prefers everybody else, and what runs on them gives way again and
//! again, since whoever is preferred still waits for the end of a slice of time.
//! Started when they are needed for the first time, which for most gateways is
//! never.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, Thread, available_parallelism},
};

use crossbeam_queue::SegQueue;

/// How much the scheduler prefers others: at most a tenth of a busy processor is
/// left to one who is so nice.
const NICE: i32 = 10;

thread_local! {
    /// Whether this is such a thread.
    static ASIDE: Cell<bool> = const { Cell::new(false) };
}

/// Lets others run first, if this is such a thread.
pub(super) fn give_way() {
    if ASIDE.get() {
        thread::yield_now();
    }
}

/// Whether this is such a thread.
pub(super) fn is_aside() -> bool {
    ASIDE.get()
}

/// Something to be done, once.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The threads, and what they have to do. Its owners bound how much that is.
#[derive(Default)]
pub struct Lanes {
    shared: Arc<Shared>,
    threads: OnceLock<Box<[Thread]>>,
}

/// Nothing here is locked: a thread that others are preferred to must not hold
/// what they wait for.
#[derive(Default)]
struct Shared {
    jobs: SegQueue<Job>,
    stopped: AtomicBool,
}

impl Lanes {
    /// Has something done, as soon as there is a thread for it. Does not block;
    /// where no thread can be had it is done here.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let threads = self.threads.get_or_init(|| start(&self.shared));
        if threads.is_empty() {
            return job();
        }
        self.shared.jobs.push(Box::new(job));
        for thread in threads {
            thread.unpark();
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        for thread in self.threads.get().into_iter().flatten() {
            thread.unpark();
        }
    }
}

/// One for every two processors.
fn start(shared: &Arc<Shared>) -> Box<[Thread]> {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let lane = |number: usize| {
        let shared = Arc::clone(shared);
        let started = thread::Builder::new()
            .name(format!("plugin-lane-{number}"))
            .spawn(move || serve(&shared));
        match started {
            Ok(handle) => Some(handle.thread().clone()),
            Err(error) => {
                tracing::warn!("cannot start a thread for plugins that take long: {error}");
                None
            }
        }
    };
    (0..processors.div_ceil(2)).filter_map(lane).collect()
}

fn serve(shared: &Shared) {
    ASIDE.set(true);
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!("plugins that take long are not put behind others: {error}");
    }
    while !shared.stopped.load(SeqCst) {
        match shared.jobs.pop() {
            // Whoever waits for it finds out that nothing comes.
            Some(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            None => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn jobs_are_done_elsewhere_and_a_panic_ends_only_its_own() {
        let lanes = Lanes::default();
        let (send, receive) = mpsc::channel();
        lanes.run(|| panic!("planted"));
        assert!(!is_aside());
        for number in 0..100 {
            let send = send.clone();
            lanes.run(move || send.send((number, thread::current().id())).unwrap());
        }
        let mut done: Vec<usize> = (0..100)
            .map(|_| {
                let (number, thread) = receive.recv_timeout(LONG).expect("a job is done");
                assert_ne!(thread, thread::current().id());
                number
            })
            .collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_threads_end_with_their_owner() {
        let lanes = Lanes::default();
        let (send, receive) = mpsc::channel();
        let shared = Arc::downgrade(&lanes.shared);
        lanes.run(move || send.send(()).unwrap());
        receive.recv_timeout(LONG).expect("a job is done");
        drop(lanes);
        let deadline = std::time::Instant::now() + LONG;
        while shared.strong_count() > 0 {
            assert!(std::time::Instant::now() < deadline, "a thread goes on");
            thread::yield_now();
        }
    }
}
