//! Bytes shared by all workers of a gateway, each value with a time to live.
//!
//! Keys belong to the plugin. A cache, not a database: the gateway may drop
//! any entry to keep within its limit.

use crate::host::store as host;

/// The value, if it lives.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::get(key)
}

/// Sets a value for `ttl_ms` milliseconds (0: until it is dropped). False if
/// it is too large to keep (more than 64 KiB).
pub fn set(key: &str, value: impl AsRef<[u8]>, ttl_ms: u64) -> bool {
    host::set(key, value.as_ref(), ttl_ms)
}

/// Removes a value; true if there was one.
pub fn delete(key: &str) -> bool {
    host::delete(key)
}
