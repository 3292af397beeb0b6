//! The clock of deadlines: a thread that advances the engine's epoch.
//!
//! Plugin code checks the epoch at every loop and call, which costs next to
//! nothing; the price is a thread that wakes every [`TICK`]. It sleeps for
//! good while no plugin is called: an idle gateway does not wake up.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use wasmtime::Engine;

/// How exact deadlines are.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// The thread. It ends when this is dropped.
pub(super) struct Ticker {
    activity: Arc<Activity>,
    thread: Option<JoinHandle<()>>,
}

/// What callers of plugins and the thread tell each other.
pub(super) struct Activity {
    /// Some plugin was called since the thread last looked.
    active: AtomicBool,
    /// The longest deadline in use, in ticks. The thread goes on for as long
    /// after the last call that it saw, so no call outlives it.
    longest: AtomicU64,
    stopped: AtomicBool,
    thread: thread::Thread,
}

/// Ticks that surely last as long as a duration.
pub(super) fn ticks(duration: Duration) -> u64 {
    let whole = duration.as_nanos().div_ceil(TICK.as_nanos());
    // The first tick may come at once, so one more. Bounded, so that adding it
    // to the epoch can never overflow.
    u64::try_from(whole).unwrap_or(u64::MAX).min(1 << 32) + 1
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> io::Result<Self> {
        let (send, receive) = std::sync::mpsc::sync_channel::<Arc<Activity>>(1);
        let engine = engine.clone();
        let thread = thread::Builder::new()
            .name("plugin-deadlines".into())
            .spawn(move || {
                if let Ok(activity) = receive.recv() {
                    run(&engine, &activity);
                }
            })?;
        let activity = Arc::new(Activity {
            active: AtomicBool::new(false),
            longest: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
            thread: thread.thread().clone(),
        });
        // The thread waits for exactly this one message.
        let _ = send.send(Arc::clone(&activity));
        Ok(Self {
            activity,
            thread: Some(thread),
        })
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.activity.stopped.store(true, SeqCst);
        self.activity.thread.unpark();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

impl Activity {
    /// Says that a deadline of so many ticks may be used from now on.
    pub(super) fn allow(&self, ticks: u64) {
        self.longest.fetch_max(ticks, SeqCst);
    }

    /// Says that a call begins. Almost always one load of a shared line.
    #[inline]
    pub(super) fn begin(&self) {
        if !self.active.load(Relaxed) {
            self.active.store(true, SeqCst);
            self.thread.unpark();
        }
    }
}

fn run(engine: &Engine, activity: &Activity) {
    while !activity.stopped.load(SeqCst) {
        tick_once_through(engine, activity);
        // Whoever was called in the time just past may still be running, for
        // as long again at most. Only a whole such time without a call ends it.
        if !activity.active.swap(false, SeqCst) {
            while !activity.active.load(SeqCst) && !activity.stopped.load(SeqCst) {
                thread::park();
            }
        }
    }
}

/// Ticks for as long as the longest deadline lasts.
fn tick_once_through(engine: &Engine, activity: &Activity) {
    let mut last = Instant::now();
    let mut left = activity.longest.load(SeqCst);
    while left > 0 && !activity.stopped.load(SeqCst) {
        thread::sleep(TICK);
        // A thread that was kept waiting makes up for it, so that deadlines
        // are kept on a busy machine too.
        let due = (last.elapsed().as_nanos() / TICK.as_nanos()).clamp(1, 100);
        last = Instant::now();
        for _ in 0..due {
            engine.increment_epoch();
        }
        left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_lasts_at_least_as_long_as_asked() {
        for (asked, at_least) in [(0, 1), (1, 2), (2, 2), (3, 3), (50, 26), (2000, 1001)] {
            assert_eq!(ticks(Duration::from_millis(asked)), at_least, "{asked} ms");
        }
        assert_eq!(ticks(Duration::MAX), (1 << 32) + 1);
    }
}
