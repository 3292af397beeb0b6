//! The snapshot that new requests use, and its replacement.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Snapshot;

/// The snapshot that new requests use.
pub struct Current {
    snapshot: ArcSwap<Snapshot>,
    /// The generation of `snapshot`, on its own so that asking whether
    /// anything changed is one load of a line that nobody writes.
    generation: AtomicU64,
    /// Told of every swap, for those who wait for one.
    swapped: watch::Sender<()>,
}

impl Current {
    /// Starts with a snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            generation: AtomicU64::new(snapshot.generation),
            snapshot: ArcSwap::from_pointee(snapshot),
            swapped: watch::Sender::new(()),
        }
    }

    /// The generation of the current snapshot.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The current snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Says when another has become current.
    pub fn swaps(&self) -> watch::Receiver<()> {
        self.swapped.subscribe()
    }

    /// Makes a snapshot current. Requests in flight keep the one they have.
    pub fn swap(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        self.snapshot.store(Arc::new(snapshot));
        self.generation.store(generation, Ordering::Release);
        self.swapped.send_replace(());
    }
}
