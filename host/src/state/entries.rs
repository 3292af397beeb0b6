//! The bounded map of 128-bit words behind `Counters`.
//!
//! What keeps a limit exact: a word changes by compare-and-swap alone, and an
//! entry that is to be removed is first buried, by compare-and-swap too. An
//! update that comes too late finds it buried and starts over on a new entry;
//! none is ever written to an entry that nobody will look at again.

use std::{
    hash::{BuildHasherDefault, Hash},
    sync::atomic::{AtomicU64, Ordering},
};

use papaya::Equivalent;
use portable_atomic::AtomicU128;

use super::{
    bucket,
    clock::{Clock, Timestamp},
    counter,
    key::{Hashed, Key, Kind, Map, Name},
    slots::{Slot, Slots},
    space::{Place, Shares},
    window::{self, Style},
};

/// The word of an entry that has never been, of any kind.
pub(super) const FRESH: u128 = 0;

/// The word of an entry that is being removed; no kind packs to this.
const BURIED: u128 = u128::MAX;

/// Entries that are looked at to evict one.
const SAMPLES: usize = 16;

/// Entries that one insertion evicts at most to keep a namespace within its
/// bounds: more than one, so that one whose bounds have shrunk gets there.
const EVICTIONS: usize = 4;

/// Slots that one sweep looks at.
const SWEEP: usize = 16_384;

/// The map for the length of one operation.
type Guarded<'a> =
    papaya::HashMapRef<'a, Key, Entry, BuildHasherDefault<Hashed>, papaya::LocalGuard<'a>>;

/// One entry: its whole state is one word.
#[derive(Debug)]
struct Entry {
    word: AtomicU128,
    slot: Slot,
    place: Place,
}

impl Entry {
    fn word(&self) -> u128 {
        self.word.load(Ordering::Acquire)
    }

    /// Replaces a word if it is still the one that was looked at.
    fn replace(&self, seen: u128, next: u128) -> bool {
        #[cfg(test)]
        super::stress::interleave();
        self.word
            .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

/// A bounded map of words. Lock-free; allocates at insertion only.
#[derive(Debug)]
pub(super) struct Entries {
    map: Map<Entry>,
    slots: Slots,
    shares: Shares,
    clock: Clock,
    evictions: AtomicU64,
}

impl Entries {
    pub(super) fn new(limit: usize, clock: Clock) -> Self {
        Self {
            map: Map::default(),
            slots: Slots::new(limit),
            shares: Shares::new(limit),
            clock,
            evictions: AtomicU64::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.taken()
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// The word of a name, and the time at which it was looked at.
    pub(super) fn look(&self, name: Name<'_>) -> (u128, Timestamp) {
        let word = match self.map.pin().get(&name).map(Entry::word) {
            None | Some(BURIED) => FRESH,
            Some(word) => word,
        };
        (word, self.clock.now())
    }

    /// One atomic step: `step` is given the word and the time and returns the
    /// next word and a result, and is called again if another was faster.
    /// Where it leaves a fresh word fresh, nothing is stored.
    pub(super) fn update<T>(
        &self,
        name: Name<'_>,
        step: impl Fn(u128, Timestamp) -> (u128, T),
    ) -> T {
        let map = self.map.pin();
        loop {
            // The time is read after the word: no word is judged by a time
            // before the one that it was made with.
            let Some(entry) = map.get(&name) else {
                let (next, result) = step(FRESH, self.clock.now());
                if next == FRESH || self.insert(&map, name, next) {
                    return result;
                }
                continue;
            };
            let seen = entry.word();
            if seen == BURIED {
                self.remove_buried(&map, &name);
                continue;
            }
            let (next, result) = step(seen, self.clock.now());
            if next == seen || entry.replace(seen, next) {
                return result;
            }
        }
    }

    /// Removes entries whose time is over among the next few thousand.
    pub(super) fn sweep(&self) {
        let map = self.map.pin();
        let now = self.clock.now();
        for by_hash in self.slots.next(SWEEP) {
            if let Some((key, entry)) = map.get_key_value(&by_hash) {
                let seen = entry.word();
                if expiry(key.kind(), seen) <= now {
                    self.bury(&map, key, entry, seen);
                }
            }
        }
    }

    /// Inserts an entry; false if another was faster. Takes its slots first,
    /// that of its namespace and that of the whole, and evicts until there are
    /// such.
    fn insert(&self, map: &Guarded<'_>, name: Name<'_>, word: u128) -> bool {
        let place = self.place(map, name);
        let slot = loop {
            match self.slots.take(name.hash()) {
                Some(slot) => break slot,
                None => {
                    self.evict(map, &self.slots);
                }
            }
        };
        let entry = Entry {
            word: AtomicU128::new(word),
            slot,
            place,
        };
        match map.try_insert(name.to_key(), entry) {
            Ok(_) => true,
            Err(error) => {
                self.release(&error.not_inserted);
                false
            }
        }
    }

    /// A place in the namespace, within its bounds if need be after evictions.
    fn place(&self, map: &Guarded<'_>, name: Name<'_>) -> Place {
        let share = self.shares.of(name.space.name);
        let mut evictions = 0;
        let slot = loop {
            let most = match evictions < EVICTIONS {
                true => name.space.entries,
                false => usize::MAX,
            };
            match share.slots.take_within(name.hash(), most) {
                Some(slot) => break slot,
                None => {
                    evictions += 1;
                    if self.evict(map, &share.slots) {
                        name.space.dropped();
                    }
                }
            }
        };
        Place { share, slot }
    }

    /// Removes one of a few sampled entries: the one that expires soonest, be
    /// it in the past. May remove none under contention. True if it was one
    /// that lived.
    fn evict(&self, map: &Guarded<'_>, slots: &Slots) -> bool {
        let soonest = slots
            .sample(SAMPLES)
            .filter_map(|by_hash| map.get_key_value(&by_hash))
            .map(|(key, entry)| (key, entry, entry.word()))
            .min_by_key(|(key, _, word)| expiry(key.kind(), *word));
        let Some((key, entry, seen)) = soonest else {
            return false;
        };
        let lived = expiry(key.kind(), seen) > self.clock.now();
        let evicted = self.bury(map, key, entry, seen) && lived;
        if evicted {
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        evicted
    }

    /// Removes an entry unless it has changed since it was looked at.
    fn bury(&self, map: &Guarded<'_>, key: &Key, entry: &Entry, seen: u128) -> bool {
        let buried = seen != BURIED && entry.replace(seen, BURIED);
        if buried {
            self.remove_buried(map, key);
        }
        buried
    }

    /// Takes a buried entry out of the map; whoever does releases its slot.
    fn remove_buried<Q>(&self, map: &Guarded<'_>, name: &Q)
    where
        Q: Equivalent<Key> + Hash,
    {
        if let Ok(Some((_, entry))) = map.remove_if(name, |_, entry| entry.word() == BURIED) {
            self.release(entry);
        }
    }

    /// Gives back what an entry held.
    fn release(&self, entry: &Entry) {
        self.slots.release(entry.slot);
        entry.place.release();
    }
}

/// When an entry is as if it had never been. A buried one expires last: it is
/// nobody's victim.
fn expiry(kind: Kind, word: u128) -> Timestamp {
    match kind {
        _ if word == BURIED => Timestamp::LAST,
        Kind::Counter => counter::expiry(word),
        Kind::Bucket => bucket::expiry(word),
        Kind::FixedWindow(length) => window::expiry(word, length, Style::Fixed),
        Kind::SlidingWindow(length) => window::expiry(word, length, Style::Sliding),
        Kind::Value => unreachable!("bytes are not kept as words"),
    }
}
