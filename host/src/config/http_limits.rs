//! What a plugin's requests of its own may take, and the reader of it.

use std::time::Duration;

use super::{
    duration::duration_up_to,
    reader::Fields,
    scalar::count,
    size::{MIB, size_in_memory},
};

/// A call holds a connection, and most often a request that waits for it.
const LONGEST_CALL: Duration = Duration::from_secs(300);

/// What a plugin's requests of its own (`http` of the WIT) may take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpLimits {
    /// The longest one may take, to the last byte of its answer. Default 5 s.
    pub timeout: Duration,
    /// Bytes of an answer's body that the plugin may read. Default 1 MiB.
    pub response_size: usize,
    /// Bytes of a request's body that is handed over whole. Default 1 MiB.
    pub request_size: usize,
    /// Calls in flight on one worker. Default 1,000.
    pub calls: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            response_size: 1 << 20,
            request_size: 1 << 20,
            calls: 1_000,
        }
    }
}

/// `http_timeout`, `http_response_size`, `http_request_size` and `http_calls`.
pub(super) fn read(fields: &Fields<'_>, usual: &HttpLimits) -> HttpLimits {
    let bytes =
        |key, default| fields.read_or(key, default, |item| size_in_memory(item, 0..=64 * MIB));
    HttpLimits {
        timeout: fields.read_or("http_timeout", usual.timeout, |item| {
            duration_up_to(item, LONGEST_CALL)
        }),
        response_size: bytes("http_response_size", usual.response_size),
        request_size: bytes("http_request_size", usual.request_size),
        calls: fields.read_or("http_calls", usual.calls, |item| count(item, 1..=10_000)),
    }
}
