//! Where handles are resolved.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Series by key, each for as long as somebody holds it. Locks: for reloads
/// and rendering, never for requests.
#[derive(Debug)]
pub(super) struct Registry<K, V>(Mutex<BTreeMap<K, Weak<V>>>);

impl<K: Ord, V> Registry<K, V> {
    /// Empty.
    pub(super) fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The living series of that key, or a new one.
    pub(super) fn resolve(&self, key: K, make: impl FnOnce(&K) -> V) -> Arc<V> {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(living) = series.get(key.borrow()).and_then(Weak::upgrade) {
            return living;
        }
        let made = Arc::new(make(&key));
        series.insert(key, Arc::downgrade(&made));
        made
    }

    /// The living series in the order of their keys. Forgets the others.
    pub(super) fn living(&self) -> Vec<Arc<V>> {
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut living = Vec::with_capacity(series.len());
        series.retain(|_, weak| match weak.upgrade() {
            Some(one) => {
                living.push(one);
                true
            }
            None => false,
        });
        living
    }
}
