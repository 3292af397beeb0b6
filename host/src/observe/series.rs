//! One plugin's own series.

use std::{
    array,
    hash::{Hash, Hasher},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use papaya::Equivalent;

use super::{
    exposition::Labels,
    http_calls::HttpMetrics,
    limited::{Limit, Limited},
};

/// Names a plugin may use.
const NAMES: usize = 16;
/// Labels a series may have.
const LABELS: usize = 16;
/// Bytes that a series' name and labels may have.
const BYTES: usize = 1024;

/// Names that would collide with the gateway's own families.
const RESERVED: [&str; 10] = [
    "http_calls_total",
    "http_duration_seconds_total",
    "http_errors_total",
    "limited_total",
    "metrics_dropped_total",
    "missing",
    "quarantined",
    "quarantines_total",
    "slow",
    "traps_total",
];

/// What a name was first used as, which it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// One plugin's series, bounded. Lock-free; a series that exists is found
/// without an allocation.
#[derive(Debug)]
pub(super) struct Series {
    /// In order of first use; a place that is taken stays so.
    names: [OnceLock<(Box<str>, Kind)>; NAMES],
    values: papaya::HashMap<Identity, AtomicU64, foldhash::fast::RandomState>,
    reserved: AtomicUsize,
    pub(super) dropped: AtomicU64,
    pub(super) traps: AtomicU64,
    pub(super) limited: Arc<Limited>,
    pub(super) http: Arc<HttpMetrics>,
    pub(super) quarantines: AtomicU64,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            names: array::from_fn(|_| OnceLock::new()),
            values: papaya::HashMap::default(),
            reserved: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            limited: Arc::default(),
            http: Arc::default(),
            quarantines: AtomicU64::new(0),
        }
    }
}

impl Series {
    /// Has `change` change the value of a series, or drops it and counts that.
    /// A new series is made while there are fewer than `most`.
    pub(super) fn update(
        &self,
        kind: Kind,
        name: &str,
        labels: Labels<'_>,
        most: usize,
        change: impl Fn(&AtomicU64),
    ) {
        let mut sorted = [("", ""); LABELS];
        let sorted = match sorted.get_mut(..labels.len()) {
            Some(sorted) => sorted,
            None => return self.drop_one(),
        };
        sorted.copy_from_slice(labels);
        sorted.sort_unstable();
        let Some(name) = self.name(kind, name) else {
            return self.drop_one();
        };
        let query = Query {
            name,
            labels: sorted,
        };
        let values = self.values.pin();
        match values.get(&query) {
            Some(value) => change(value),
            None if self.may_insert(&query, most) => {
                let made = values.try_insert(query.to_identity(), AtomicU64::new(0));
                if made.is_err() {
                    self.reserved.fetch_sub(1, Ordering::Relaxed);
                }
                // Whoever was faster made the same one.
                values.get(&query).map(change).unwrap_or(());
            }
            None => self.drop_one(),
        }
    }

    /// Calls back for every series: kind, name, labels, the value's bits.
    pub(super) fn each(&self, mut seen: impl FnMut(Kind, &str, &[(Box<str>, Box<str>)], u64)) {
        let values = self.values.pin();
        let mut all: Vec<_> = values.iter().collect();
        all.sort_unstable_by_key(|(identity, _)| *identity);
        for (identity, value) in all {
            if let Some((name, kind)) = self.names[identity.name].get() {
                seen(*kind, name, &identity.labels, value.load(Ordering::Relaxed));
            }
        }
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The place of a name that is used as this kind, now taken if need be.
    fn name(&self, kind: Kind, name: &str) -> Option<usize> {
        for (place, known) in self.names.iter().enumerate() {
            let known = match known.get() {
                Some(known) => known,
                None if !is_word(name) || name.len() > BYTES || RESERVED.contains(&name) => {
                    return None;
                }
                // If somebody else was faster, it may be with another name.
                None => known.get_or_init(|| (name.into(), kind)),
            };
            if *known.0 == *name {
                return (known.1 == kind).then_some(place);
            }
        }
        None
    }

    /// Checks the labels and reserves room for one more series.
    fn may_insert(&self, query: &Query<'_>, most: usize) -> bool {
        let bytes: usize = query
            .labels
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let good = |name: &str| is_word(name) && !name.starts_with("__") && name != "plugin";
        let unique = query.labels.windows(2).all(|pair| pair[0].0 != pair[1].0);
        let more = |count| (count < most).then_some(count + 1);
        if bytes > BYTES || !unique || !query.labels.iter().all(|(name, _)| good(name)) {
            return false;
        }
        let reserved = self
            .reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if reserved.is_err() {
            self.limited.count(Limit::MetricSeries);
        }
        reserved.is_ok()
    }
}

/// `[a-z_][a-z0-9_]*`
fn is_word(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.bytes().next().is_some_and(letter)
        && name
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// A series: the place of its name, and its labels in order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    name: usize,
    labels: Box<[(Box<str>, Box<str>)]>,
}

/// The same, borrowed.
struct Query<'a> {
    name: usize,
    labels: Labels<'a>,
}

impl Query<'_> {
    fn to_identity(&self) -> Identity {
        let owned = self
            .labels
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Identity {
            name: self.name,
            labels: owned.collect(),
        }
    }
}

impl Equivalent<Identity> for Query<'_> {
    fn equivalent(&self, identity: &Identity) -> bool {
        let own = identity
            .labels
            .iter()
            .map(|(name, value)| (&**name, &**value));
        self.name == identity.name && self.labels.iter().copied().eq(own)
    }
}

impl Hash for Query<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        for (name, value) in self.labels {
            (name, value).hash(state);
        }
    }
}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        for (name, value) in &self.labels {
            (name, value).hash(state);
        }
    }
}
