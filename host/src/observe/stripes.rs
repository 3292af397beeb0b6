//! One copy of some counters per thread.

use std::{
    cell::Cell,
    iter,
    num::NonZeroUsize,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
};

/// Stripes of counters: as many as threads are likely to count, made when a
/// thread first does. Threads above that number share; still nothing is lost.
#[derive(Debug)]
pub(super) struct Stripes<T>(Box<[OnceLock<Box<Padded<T>>>]>);

/// On cache lines of its own, and their neighbours that the processor fetches
/// along.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// One for every core and one for the control thread, as a power of two.
static COUNT: LazyLock<usize> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    (cores + 1).next_power_of_two().min(64)
});

impl<T: Default> Stripes<T> {
    /// None made yet.
    pub(super) fn new() -> Self {
        Self(iter::repeat_with(OnceLock::new).take(*COUNT).collect())
    }

    /// This thread's stripe: a thread-local read and a pointer.
    pub(super) fn mine(&self) -> &T {
        // A power of two, of which the rest is had without a division.
        &self.0[thread_number() & (self.0.len() - 1)]
            .get_or_init(Box::default)
            .0
    }

    /// All stripes that were made.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0
            .iter()
            .filter_map(|stripe| stripe.get().map(|padded| &padded.0))
    }
}

fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
