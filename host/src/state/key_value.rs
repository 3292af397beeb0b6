//! Bytes by key: a cache within a bound of bytes.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use papaya::Equivalent;

use super::{
    clock::{Clock, Timestamp},
    key::{Key, Kind, Map, Name},
    slots::{Slot, Slots},
};

/// What an entry weighs beside its key and value: its parts of the map, of the
/// slots and of the allocator.
const OVERHEAD: usize = 192;

/// Entries that one `set` looks at to make room, and one sweep in all.
const LOOKS: usize = 4096;

/// Bytes by plugin and key, shared by all threads, each with a time to live.
///
/// A cache: to keep within its bytes it drops values, expired and unread ones
/// first (CLOCK: a value that was read is passed over once). Takes no lock;
/// allocates only where it keeps a value.
#[derive(Debug)]
pub struct KeyValue {
    map: Map<Value>,
    slots: Slots,
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
            clock,
            limit,
            bytes: AtomicUsize::new(0),
            evictions: AtomicU64::new(0),
        }
    }

    /// The value, if it lives. Shares it, copies nothing.
    pub fn get(&self, plugin: &str, key: &str) -> Option<Bytes> {
        let map = self.map.pin();
        let value = map.get(&Name::new(Kind::Value, plugin, key))?;
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
    pub fn set(&self, plugin: &str, key: &str, value: &[u8], ttl: Duration) -> bool {
        let name = Name::new(Kind::Value, plugin, key);
        let weight = OVERHEAD + name.len() + value.len();
        if value.len() > Self::LONGEST_VALUE || weight > self.limit {
            self.remove(&name);
            return false;
        }
        let slot = match self.reserve(weight) {
            true => self.slots.take(name.hash()),
            false => None,
        };
        match slot {
            Some(slot) => self.insert(name, value, ttl, weight, slot),
            // Everybody makes room and nobody finds any: dropped at once,
            // which a cache may do, but never in favour of an older value.
            None => drop(self.remove(&name)),
        }
        true
    }

    /// Removes a value; true if there was one.
    pub fn delete(&self, plugin: &str, key: &str) -> bool {
        self.remove(&Name::new(Kind::Value, plugin, key))
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

    fn insert(&self, name: Name<'_>, value: &[u8], ttl: Duration, weight: usize, slot: Slot) {
        let value = Value {
            bytes: Bytes::copy_from_slice(value),
            expiry: (!ttl.is_zero()).then(|| self.clock.now().after(ttl)),
            weight,
            slot,
            read: AtomicBool::new(false),
        };
        let map = self.map.pin();
        if let Some(displaced) = map.insert(name.to_key(), value) {
            self.release(displaced);
        }
    }

    /// Reserves bytes, making room for them in a bounded number of looks.
    fn reserve(&self, weight: usize) -> bool {
        let add = |bytes: usize| (bytes + weight <= self.limit).then_some(bytes + weight);
        let mut looks = 0;
        while self
            .bytes
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, add)
            .is_err()
        {
            if looks == LOOKS {
                return false;
            }
            looks += 1;
            self.look();
        }
        true
    }

    /// Advances the hand by one: drops the value that it points at, unless it
    /// was read since the last time.
    fn look(&self) {
        let map = self.map.pin();
        for by_hash in self.slots.next(1) {
            if let Some((key, value)) = map.get_key_value(&by_hash) {
                let lives = value.lives(self.clock.now());
                if lives && value.read.swap(false, Ordering::Relaxed) {
                    continue;
                }
                if self.remove_slot(key, value.slot) && lives {
                    self.evictions.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
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
        self.bytes.fetch_sub(value.weight, Ordering::AcqRel);
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
