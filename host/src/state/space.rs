//! Whose an entry is: the namespaces that entries belong to, and the part of a
//! map that each of them has.
//!
//! A namespace that is full makes room among its own entries, so that one
//! which is flooded with keys costs no other an entry.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::slots::{Slot, Slots};

/// Entries that are looked at to make room for one value, and by one sweep.
pub(super) const LOOKS: usize = 4096;

/// A namespace, and what it may hold when an entry is added. A bare name has
/// no bounds of its own.
#[derive(Debug, Clone, Copy)]
pub struct Space<'a> {
    /// Its name. Entries of one name are shared by all who use it.
    pub name: &'a str,
    /// Entries that it may hold. Exceeded by a few where threads add at once.
    pub entries: usize,
    /// Bytes that it may hold: keys, values and what it takes to keep them.
    /// Means nothing for counters, whose entries are all of one size.
    pub bytes: usize,
    /// Counts the entries that these bounds made go before their time.
    pub dropped: Option<&'a AtomicU64>,
}

impl<'a> From<&'a str> for Space<'a> {
    fn from(name: &'a str) -> Self {
        Self {
            name,
            entries: usize::MAX,
            bytes: usize::MAX,
            dropped: None,
        }
    }
}

impl Space<'_> {
    /// An entry had to go.
    pub(super) fn dropped(&self) {
        if let Some(count) = self.dropped {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What one namespace has of a map.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) slots: Slots,
    pub(super) bytes: AtomicUsize,
}

/// All namespaces that a map has seen. Their names come from configurations,
/// so they are few, and are kept.
#[derive(Debug)]
pub(super) struct Shares {
    by_name: papaya::HashMap<Box<str>, Arc<Share>, foldhash::fast::RandomState>,
    limit: usize,
}

impl Shares {
    /// None yet; none will have more than `limit` entries.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_name: papaya::HashMap::default(),
            limit,
        }
    }

    /// The share of a name: a look-up, and a shared reference more.
    pub(super) fn of(&self, name: &str) -> Arc<Share> {
        let shares = self.by_name.pin();
        if let Some(share) = shares.get(name) {
            return Arc::clone(share);
        }
        let new = || {
            Arc::new(Share {
                slots: Slots::new(self.limit),
                bytes: AtomicUsize::new(0),
            })
        };
        Arc::clone(shares.get_or_insert_with(name.into(), new))
    }
}

/// Where an entry stands in its namespace. Given back once, by whoever took
/// the entry out of the map.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) share: Arc<Share>,
    pub(super) slot: Slot,
}

impl Place {
    pub(super) fn release(&self) {
        self.share.slots.release(self.slot);
    }
}

/// Adds to `bytes` what keeps them within `limit`, making room in a bounded
/// number of looks.
pub(super) fn reserve(
    bytes: &AtomicUsize,
    weight: usize,
    limit: usize,
    look: impl FnMut(),
) -> bool {
    let add = |bytes: usize| bytes.checked_add(weight).filter(|sum| *sum <= limit);
    let reserve = || {
        bytes
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, add)
            .ok()
    };
    try_often(reserve, look).is_some()
}

/// Tries, and makes room before each further try.
pub(super) fn try_often<T>(
    attempt: impl Fn() -> Option<T>,
    mut make_room: impl FnMut(),
) -> Option<T> {
    for _ in 0..LOOKS {
        if let Some(done) = attempt() {
            return Some(done);
        }
        make_room();
    }
    attempt()
}
