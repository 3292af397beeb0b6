//! What a plugin keeps of the bodies in flight.

use std::collections::BTreeMap;

/// States by the number of a body's stream: an instance has many bodies in
/// flight, whose chunks come in any order. A state is made for a body's first
/// chunk and forgotten with its last, or when the gateway says that there will
/// be none.
#[derive(Debug)]
pub struct Bodies<S>(BTreeMap<u64, S>);

impl<S: Default> Bodies<S> {
    /// Of no body.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes a body's state, to be put back unless it was the last chunk.
    pub fn take(&mut self, stream: u64) -> S {
        self.0.remove(&stream).unwrap_or_default()
    }

    /// Puts a body's state back.
    pub fn put(&mut self, stream: u64, state: S) {
        self.0.insert(stream, state);
    }

    /// Forgets a body.
    pub fn dropped(&mut self, stream: u64) {
        self.0.remove(&stream);
    }

    /// How many bodies are in flight.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Default> Default for Bodies<S> {
    fn default() -> Self {
        Self::new()
    }
}
