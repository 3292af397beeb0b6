//! Reader of what a plugin or a filter may use, and the defaults.

use std::time::Duration;

use super::{
    HttpLimits, PluginLimits,
    duration::duration_up_to,
    http_limits,
    reader::{Fields, Item},
    scalar::{count, small},
    size::{GIB, KIB, MIB, size_in_memory},
};

/// A hook stalls its worker for as long as it runs.
const LONGEST_CALL: Duration = Duration::from_secs(10);
/// A hook that waits holds an instance and a request.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const LONGEST_START: Duration = Duration::from_secs(300);
/// The most elements that a table may have: room for so many is set aside for each
/// table that there may be.
pub const MOST_TABLE_ELEMENTS: usize = 100_000;

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table: 10_000,
            call_timeout: Duration::from_millis(50),
            wait_timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(2),
            instances: 2_000,
            queue: 64,
            host_calls: 10_000,
            log_lines: 1_000,
            counters: 500_000,
            store_keys: 100_000,
            store_bytes: 16 << 20,
            metric_series: 1_000,
            response_size: 1 << 20,
            body_buffer: 1 << 20,
            body_buffers: 64 << 20,
            http: HttpLimits::default(),
        }
    }
}

/// The keys are the fields of [`PluginLimits`].
pub(super) const KEYS: [&str; 20] = [
    "memory",
    "table",
    "call_timeout",
    "wait_timeout",
    "start_timeout",
    "instances",
    "queue",
    "host_calls",
    "log_lines",
    "counters",
    "store_keys",
    "store_bytes",
    "metric_series",
    "response_size",
    "body_buffer",
    "body_buffers",
    "http_timeout",
    "http_response_size",
    "http_request_size",
    "http_calls",
];

/// The limits of a plugin or a filter; those that are not given are as in `usual`.
pub(super) fn limits(item: &Item<'_>, usual: &PluginLimits) -> Option<PluginLimits> {
    Some(read(&item.fields(&KEYS)?, usual))
}

/// The same of a map that has other keys too.
pub(super) fn read(fields: &Fields<'_>, usual: &PluginLimits) -> PluginLimits {
    let bytes =
        |key, default, range| fields.read_or(key, default, |item| size_in_memory(item, range));
    let number = |key, default, range| fields.read_or(key, default, |item| count(item, range));
    let few = |key, default, range| fields.read_or(key, default, |item| small(item, range));
    let time =
        |key, default, longest| fields.read_or(key, default, |item| duration_up_to(item, longest));
    PluginLimits {
        memory: bytes("memory", usual.memory, 64 * KIB..=4 * GIB),
        table: number("table", usual.table, 1..=MOST_TABLE_ELEMENTS as u64),
        call_timeout: time("call_timeout", usual.call_timeout, LONGEST_CALL),
        wait_timeout: time("wait_timeout", usual.wait_timeout, LONGEST_WAIT),
        start_timeout: time("start_timeout", usual.start_timeout, LONGEST_START),
        instances: number("instances", usual.instances, 1..=10_000),
        queue: number("queue", usual.queue, 1..=10_000),
        host_calls: few("host_calls", usual.host_calls, 100..=1_000_000_000),
        log_lines: few("log_lines", usual.log_lines, 0..=1_000_000),
        counters: number("counters", usual.counters, 1..=100_000_000),
        store_keys: number("store_keys", usual.store_keys, 1..=100_000_000),
        store_bytes: bytes("store_bytes", usual.store_bytes, KIB..=64 * GIB),
        metric_series: number("metric_series", usual.metric_series, 0..=100_000),
        response_size: bytes("response_size", usual.response_size, 0..=64 * MIB),
        body_buffer: bytes("body_buffer", usual.body_buffer, 0..=64 * MIB),
        body_buffers: bytes("body_buffers", usual.body_buffers, 0..=64 * GIB),
        http: http_limits::read(fields, &usual.http),
    }
}
