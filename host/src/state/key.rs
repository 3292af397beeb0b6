//! Names of entries: namespace, key and kind, hashed once per call.
//!
//! A look-up goes by [`Name`], which borrows and allocates nothing; only what
//! is inserted becomes a [`Key`]. The map takes the hash from the name, so that
//! a [`ByHash`] finds an entry without its text: that is how entries are
//! sampled (see `slots`).

use std::{
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::LazyLock,
};

use papaya::Equivalent;

use super::space::Space;

/// What a name names. Part of its identity, so that kinds never mix; windows
/// of different lengths under one key are different windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A counter.
    Counter,
    /// A token bucket.
    Bucket,
    /// A fixed window of that many nanoseconds.
    FixedWindow(u64),
    /// A sliding window of that many nanoseconds.
    SlidingWindow(u64),
    /// Bytes.
    Value,
}

/// A map by name.
pub(super) type Map<V> = papaya::HashMap<Key, V, BuildHasherDefault<Hashed>>;

/// A borrowed name with its hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    hash: u64,
    kind: Kind,
    pub(super) space: Space<'a>,
    key: &'a str,
}

impl<'a> Name<'a> {
    /// Names something of a namespace's.
    pub(super) fn new(kind: Kind, space: impl Into<Space<'a>>, key: &'a str) -> Self {
        let space = space.into();
        // Seeded at random once per process: a client that chooses keys
        // cannot aim at one place of the map.
        static SEED: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
        Self {
            // Zero means "no entry" in `slots`.
            hash: SEED.hash_one((kind, space.name, key)).max(1),
            kind,
            space,
            key,
        }
    }

    /// The hash; never 0.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// Bytes of text.
    pub(super) fn len(&self) -> usize {
        self.space.name.len() + self.key.len()
    }

    /// The owned form, in one allocation.
    pub(super) fn to_key(self) -> Key {
        Key {
            hash: self.hash,
            kind: self.kind,
            space: self.space.name.len(),
            text: [self.space.name, self.key].concat().into(),
        }
    }
}

/// An owned name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    hash: u64,
    kind: Kind,
    /// Where in `text` the namespace's name ends.
    space: usize,
    text: Box<str>,
}

impl Key {
    /// The kind.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

impl Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.hash == key.hash
            && self.kind == key.kind
            && self.space.name.len() == key.space
            && self.len() == key.text.len()
            && key.text.starts_with(self.space.name)
            && key.text.ends_with(self.key)
    }
}

/// Any entry of that hash: with 64 random bits, in effect the only one.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByHash(pub(super) u64);

impl Equivalent<Key> for ByHash {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.hash
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for ByHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Passes the names' own hashes on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("names hash themselves with `write_u64` only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_namespace_its_key_and_its_kind() {
        let name = Name::new(Kind::Counter, "ab", "c");
        let key = name.to_key();
        assert!(name.equivalent(&key));
        assert!(ByHash(name.hash()).equivalent(&key));
        for other in [
            Name::new(Kind::Counter, "a", "bc"),
            Name::new(Kind::Counter, "abc", ""),
            Name::new(Kind::Counter, "ab", "d"),
            Name::new(Kind::Bucket, "ab", "c"),
        ] {
            assert!(!other.equivalent(&key), "{other:?}");
            // Not by the luck of the hash either.
            assert!(
                !Name {
                    hash: name.hash,
                    ..other
                }
                .equivalent(&key),
                "{other:?}"
            );
        }
    }

    #[test]
    fn windows_of_different_lengths_differ() {
        let minute = Name::new(Kind::FixedWindow(60), "p", "k");
        let hour = Name::new(Kind::FixedWindow(3600), "p", "k");
        assert!(!minute.equivalent(&hour.to_key()));
    }
}
