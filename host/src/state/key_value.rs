//! Bytes by key: a cache within a bound of bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use papaya::Equivalent;

use super::{
    clock::{Clock, Timestamp},
    key::{Key, Kind, Map, Name},
    slots::{Slot, Slots},
    space::{LOOKS, Place, Shares, Space, reserve, try_often},
};

/// What an entry weighs beside its key and value: its parts of the map, of the
/// slots and of the allocator.
const OVERHEAD: usize = 192;

/// Bytes by namespace and key, shared by all threads, each with a time to live.
///
/// A cache: to keep within its bytes it drops values, expired and unread ones
/// first (CLOCK: a value that was read is passed over once); to keep a namespace
/// within its bounds, values of that namespace alone. Takes no lock;
/// allocates only where it keeps a value.
#[derive(Debug)]
pub struct KeyValue {
    map: Map<Value>,
    slots: Slots,
    shares: Shares,
    clock: Clock,
    limit: usize,
    bytes: AtomicUsize,
    evictions: AtomicU64,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    /// None: until it is dropped.
    expiry: Option<Timestamp>,
    weight: usize,
    slot: Slot,
    place: Place,
    /// Read since the hand came by last.
    read: AtomicBool,
}

impl Value {
    fn lives(&self, now: Timestamp) -> bool {
        self.expiry.is_none_or(|expiry| expiry > now)
    }
}

impl KeyValue {
    /// The limit on bytes unless the configuration says otherwise: 64 MiB.
    pub const DEFAULT_LIMIT: usize = 64 << 20;

    /// The longest value: 64 KiB.
    pub const LONGEST_VALUE: usize = 64 << 10;

    /// Nothing yet, and at most `limit` bytes of keys, values and what it
    /// takes to keep them.
    pub fn new(limit: usize, clock: Clock) -> Self {
        Self {
            map: Map::default(),
            // Bytes are reserved before a slot is taken and released after, so
            // these never run out.
            slots: Slots::new(limit / OVERHEAD),
            shares: Shares::new(limit / OVERHEAD),
            clock,
            limit,
            bytes: AtomicUsize::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// The value, if it lives. Shares it, copies nothing.
    pub fn get<'a>(&self, space: impl Into<Space<'a>>, key: &'a str) -> Option<Bytes> {
        let map = self.map.pin();
        let value = map.get(&Name::new(Kind::Value, space, key))?;
        if !value.lives(self.clock.now()) {
            return None;
        }
        if !value.read.load(Ordering::Relaxed) {
            value.read.store(true, Ordering::Relaxed);
        }
        Some(value.bytes.clone())
    }

    /// Keeps a copy of `value` for `ttl` (zero: until it is dropped). False if
    /// it is too large to keep; what was there before is then gone too.
    pub fn set<'a>(
        &self,
        space: impl Into<Space<'a>>,
        key: &'a str,
        value: &[u8],
        ttl: Duration,
    ) -> bool {
        let name = Name::new(Kind::Value, space, key);
        let weight = OVERHEAD + name.len() + value.len();
        if value.len() > Self::LONGEST_VALUE || weight > self.limit.min(name.space.bytes) {
            self.remove(&name);
            return false;
        }
        match self.room(name, weight) {
            Some(room) => self.insert(name, value, ttl, weight, room),
            // Everybody makes room and nobody finds any: dropped at once,
            // which a cache may do, but never in favour of an older value.
            None => drop(self.remove(&name)),
        }
        true
    }

    /// Removes a value; true if there was one.
    pub fn delete<'a>(&self, space: impl Into<Space<'a>>, key: &'a str) -> bool {
        self.remove(&Name::new(Kind::Value, space, key))
    }

    /// Frees what has expired, a part at a time, as `Counters::sweep` does.
    pub fn sweep(&self) {
        let map = self.map.pin();
        let now = self.clock.now();
        for by_hash in self.slots.next(LOOKS) {
            if let Some((key, value)) = map.get_key_value(&by_hash)
                && !value.lives(now)
            {
                self.remove_slot(key, value.slot);
            }
        }
    }

    /// Bytes that are kept, with what it takes to keep them.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Values that are kept, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.slots.taken()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values that had to go before their time.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn insert(
        &self,
        name: Name<'_>,
        value: &[u8],
        ttl: Duration,
        weight: usize,
        (place, slot): (Place, Slot),
    ) {
        let value = Value {
            bytes: Bytes::copy_from_slice(value),
            expiry: (!ttl.is_zero()).then(|| self.clock.now().after(ttl)),
            weight,
            slot,
            place,
            read: AtomicBool::new(false),
        };
        let map = self.map.pin();
        if let Some(displaced) = map.insert(name.to_key(), value) {
            self.release(displaced);
        }
    }

    /// Slots and bytes for a value, in its namespace and in the whole.
    fn room(&self, name: Name<'_>, weight: usize) -> Option<(Place, Slot)> {
        let share = self.shares.of(name.space.name);
        let evict = || {
            if self.look(&share.slots) {
                name.space.dropped();
            }
        };
        if !reserve(&share.bytes, weight, name.space.bytes, evict) {
            return None;
        }
        let own = try_often(
            || share.slots.take_within(name.hash(), name.space.entries),
            evict,
        );
        let look = || {
            self.look(&self.slots);
        };
        let Some(own) = own.filter(|_| reserve(&self.bytes, weight, self.limit, look)) else {
            own.inspect(|own| share.slots.release(*own));
            share.bytes.fetch_sub(weight, Ordering::AcqRel);
            return None;
        };
        let place = Place {
            share: Arc::clone(&share),
            slot: own,
        };
        let slot = self.slots.take(name.hash());
        if slot.is_none() {
            self.give_back(&place, weight);
        }
        slot.map(|slot| (place, slot))
    }

    /// Advances a hand by one: drops the value that it points at, unless it
    /// was read since the last time. True if it dropped one that lived.
    fn look(&self, slots: &Slots) -> bool {
        let map = self.map.pin();
        let mut dropped = false;
        for by_hash in slots.next(1) {
            if let Some((key, value)) = map.get_key_value(&by_hash) {
                let lives = value.lives(self.clock.now());
                if lives && value.read.swap(false, Ordering::Relaxed) {
                    continue;
                }
                if self.remove_slot(key, value.slot) && lives {
                    self.evictions.fetch_add(1, Ordering::Relaxed);
                    dropped = true;
                }
            }
        }
        dropped
    }

    /// Removes this very value, and not one that was set since.
    fn remove_slot(&self, key: &Key, slot: Slot) -> bool {
        let map = self.map.pin();
        match map.remove_if(key, |_, value| value.slot == slot) {
            Ok(Some((_, value))) => {
                self.release(value);
                true
            }
            _ => false,
        }
    }

    fn remove<Q>(&self, name: &Q) -> bool
    where
        Q: Equivalent<Key> + std::hash::Hash,
    {
        let map = self.map.pin();
        let Some(value) = map.remove(name) else {
            return false;
        };
        self.release(value);
        value.lives(self.clock.now())
    }

    /// Gives back what a value held; once, by whoever took it out of the map.
    fn release(&self, value: &Value) {
        self.slots.release(value.slot);
        self.give_back(&value.place, value.weight);
    }

    fn give_back(&self, place: &Place, weight: usize) {
        self.bytes.fetch_sub(weight, Ordering::AcqRel);
        place.share.bytes.fetch_sub(weight, Ordering::AcqRel);
        place.release();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ManualClock, *};

    const SECOND: Duration = Duration::from_secs(1);

    fn values(limit: usize) -> (KeyValue, ManualClock) {
        let clock = ManualClock::new(Timestamp::from_nanos(1_800_000_000_000_000_000));
        (KeyValue::new(limit, clock.clock()), clock)
    }

    #[test]
    fn a_value_lives_for_its_time() {
        let (values, clock) = values(10_000);
        assert!(values.set("p", "k", b"one", SECOND));
        assert!(values.set("p", "forever", b"two", Duration::ZERO));
        assert_eq!(values.get("p", "k").as_deref(), Some(&b"one"[..]));
        clock.advance(SECOND);
        assert_eq!(values.get("p", "k"), None);
        assert!(!values.delete("p", "k"), "as if it had never been");
        clock.advance(1_000_000 * SECOND);
        assert_eq!(values.get("p", "forever").as_deref(), Some(&b"two"[..]));
        assert!(values.delete("p", "forever"));
        assert_eq!((values.len(), values.bytes()), (0, 0));
    }

    #[test]
    fn a_new_value_displaces_the_old_one() {
        let (values, clock) = values(10_000);
        values.set("p", "k", b"a longer one", SECOND);
        values.set("p", "k", b"short", 2 * SECOND);
        clock.advance(SECOND);
        assert_eq!(values.get("p", "k").as_deref(), Some(&b"short"[..]));
        assert_eq!((values.len(), values.bytes()), (1, OVERHEAD + 2 + 5));
    }

    #[test]
    fn plugins_do_not_see_each_other() {
        let (values, _) = values(10_000);
        values.set("a", "bc", b"1", SECOND);
        assert_eq!(values.get("ab", "c"), None);
        assert!(!values.delete("ab", "c"));
    }

    #[test]
    fn too_large_a_value_is_refused_and_takes_the_old_one_with_it() {
        let (values, _) = values(1 << 20);
        let most = vec![0; KeyValue::LONGEST_VALUE];
        assert!(values.set("p", "k", &most, SECOND));
        assert!(!values.set("p", "k", &[&most[..], b"!"].concat(), SECOND));
        assert_eq!(values.get("p", "k"), None);
        let (small, _) = self::values(1000);
        assert!(!small.set("p", "k", &[0; 1000], SECOND));
    }

    #[test]
    fn within_its_bytes_unread_values_go_first() {
        let (values, _) = values(100 * (OVERHEAD + 100));
        for index in 0..1000 {
            assert!(values.set("p", &format!("{index}"), &[0; 90], SECOND));
            assert!(
                values.get("p", "0").is_some(),
                "read in every round: {index}"
            );
        }
        assert!(values.bytes() <= 100 * (OVERHEAD + 100));
        assert!(values.len() >= 95 && values.evictions() >= 890);
    }

    #[test]
    fn a_full_namespace_makes_room_among_its_own_values_alone() {
        for (entries, bytes) in [(10, usize::MAX), (usize::MAX, 10 * (OVERHEAD + 9))] {
            let (values, _) = values(1 << 20);
            let dropped = AtomicU64::new(0);
            let flooded = Space {
                entries,
                bytes,
                dropped: Some(&dropped),
                ..Space::from("f")
            };
            for index in 0..100 {
                assert!(values.set("quiet", &format!("{index}"), b"x", SECOND));
            }
            for index in 100..900 {
                assert!(values.set(flooded, &format!("{index}"), b"value", SECOND));
                let kept = values.get(flooded, &format!("{index}"));
                assert!(kept.is_some(), "the newest is there: {index}");
            }
            let quiet = (0..100).filter(|index| values.get("quiet", &format!("{index}")).is_some());
            assert_eq!(quiet.count(), 100);
            assert_eq!(values.len(), 110);
            assert_eq!(dropped.load(Ordering::Relaxed), 790);
            assert!(!values.set(flooded, "k", &vec![0; bytes.min(70_000)], SECOND));
            for index in 100..900 {
                values.delete("f", &format!("{index}"));
            }
            for index in 0..100 {
                values.delete("quiet", &format!("{index}"));
            }
            assert_eq!((values.len(), values.bytes()), (0, 0), "all is given back");
        }
    }

    #[test]
    fn sweeping_frees_what_has_expired() {
        let (values, clock) = values(1 << 20);
        for index in 0..100 {
            let ttl = if index % 2 == 0 { SECOND } else { 3 * SECOND };
            values.set("p", &format!("{index}"), b"x", ttl);
        }
        clock.advance(2 * SECOND);
        values.sweep();
        assert_eq!((values.len(), values.evictions()), (50, 0));
    }
}
