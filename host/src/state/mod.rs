//! State that plugins share: numbers and bytes by key, each with a time to
//! live, seen by all workers and kept over reloads.
//!
//! Owns [`Counters`] (counters, token buckets, windows: the mechanism of
//! limiters and breakers) and [`KeyValue`] (a bounded cache of bytes). A key
//! belongs to a namespace ([`Space`]), which is a plugin's unless a step names
//! another, and to the kind of thing it names: a bucket and a counter of one
//! name are two entries.
//!
//! Nothing here locks. An entry of `Counters` is one 128-bit atomic word that
//! holds its whole state with its expiry, so that every function is one
//! compare-and-swap; a look-up allocates nothing. Both are bounded, by entries
//! and by bytes, as a whole and for each namespace; what would exceed a bound
//! makes room by evicting a few sampled entries, never by a scan.
//!
//! Refuses nothing of keys: the caller (`plugin`) bounds their length. Time
//! comes from a [`Clock`], which tests wind by hand.

mod bucket;
mod clock;
mod counter;
mod counters;
mod entries;
mod key;
mod key_value;
mod slots;
mod space;
#[cfg(test)]
mod stress;
mod window;

use std::time::Duration;

pub use bucket::Bucket;
pub use clock::{Clock, ManualClock, Timestamp};
pub use counters::Counters;
pub use key_value::KeyValue;
pub use space::Space;
pub use window::Window;

/// What a limiter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// True if the cost was taken.
    pub allowed: bool,
    /// What is left to take right now.
    pub remaining: u64,
    /// Until the bucket is full again, or the window ends.
    pub reset: Duration,
    /// Until this same cost would be allowed if nobody else took any: zero if
    /// it was allowed, [`Duration::MAX`] if it never will be.
    pub retry_after: Duration,
}
