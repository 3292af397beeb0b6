//! Numbers shared by all workers of a gateway, each with a time to live.
//!
//! Every function is one atomic step: a limiter or a breaker is right under
//! concurrency without a retry loop. Keys belong to the plugin (no other
//! plugin sees them), outlive reloads, and have at most 256 bytes: a longer
//! one traps. Times are milliseconds.
//!
//! ```
//! use portcullis_sdk::{counters, prelude::*};
//!
//! fn limit(exchange: &mut Exchange) -> Result<Verdict> {
//!     let bucket = counters::Bucket { capacity: 20, refill: 10, per_ms: 1_000 };
//!     let decision = counters::token_bucket(&exchange.client_address(), bucket, 1);
//!     if decision.allowed {
//!         return Ok(Verdict::Next);
//!     }
//!     let seconds = decision.retry_after_ms.div_ceil(1_000).to_string();
//!     Err(Answer::new(429).header("retry-after", seconds).into())
//! }
//! ```

use crate::host::counters as host;

pub use crate::bindings::imports::portcullis::gateway::counters::{Bucket, Decision, Window};

/// Adds to a counter and returns the new value. A new counter starts at 0 and
/// lives for `ttl_ms` from this call; later calls do not prolong it.
pub fn add(key: &str, delta: i64, ttl_ms: u64) -> i64 {
    host::add(key, delta, ttl_ms)
}

/// The value of a counter, if it lives.
pub fn get(key: &str) -> Option<i64> {
    host::get(key)
}

/// Sets the counter to `new` with a fresh time to live if it now has the value
/// `expected` (none: does not exist). Returns true if it did.
pub fn compare_and_set(key: &str, expected: Option<i64>, new: i64, ttl_ms: u64) -> bool {
    host::compare_and_set(key, expected, new, ttl_ms)
}

/// Takes `cost` tokens if they are there, all or nothing. A negative cost
/// gives back, up to the capacity: for several limits of which a later one
/// refused. A cost of 0 only looks.
pub fn token_bucket(key: &str, bucket: Bucket, cost: i32) -> Decision {
    host::token_bucket(key, bucket, cost)
}

/// Counts `cost` in a fixed window that is aligned to the clock: the windows
/// of one minute start on the minute. Negative gives back, 0 only looks.
pub fn fixed_window(key: &str, window: Window, cost: i32) -> Decision {
    host::fixed_window(key, window, cost)
}

/// Counts `cost` in a window that slides: the current fixed window plus the
/// share of the one before that the sliding window still covers. Never lets
/// more than `limit` pass in one fixed window. Negative gives back, 0 only looks.
pub fn sliding_window(key: &str, window: Window, cost: i32) -> Decision {
    host::sliding_window(key, window, cost)
}
