//! How often a plugin wanted more than it may have, by what it wanted.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit of a plugin, by its key in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// More linear memory.
    Memory,
    /// A larger table.
    Table,
    /// More time in a hook.
    CallTimeout,
    /// More time to wait for others in a hook.
    WaitTimeout,
    /// More time to start.
    StartTimeout,
    /// One more instance for one more request, or one more call that waits.
    Instances,
    /// One more call in the line of a plugin that takes long.
    Queue,
    /// One more call of the gateway in a hook.
    HostCalls,
    /// One more line in the log this second.
    LogLines,
    /// One more counter: another had to go.
    Counters,
    /// One more value, or a longer one: another had to go.
    Store,
    /// One more series of its own.
    MetricSeries,
    /// A longer answer.
    ResponseSize,
    /// A longer body to see whole.
    BodyBuffer,
    /// More bodies at once.
    BodyBuffers,
    /// More time for a request of its own.
    HttpTimeout,
    /// A longer answer to it.
    HttpResponseSize,
    /// A longer one.
    HttpRequestSize,
    /// One more at once.
    HttpCalls,
}

impl Limit {
    const ALL: [Self; 19] = [
        Self::Memory,
        Self::Table,
        Self::CallTimeout,
        Self::WaitTimeout,
        Self::StartTimeout,
        Self::Instances,
        Self::Queue,
        Self::HostCalls,
        Self::LogLines,
        Self::Counters,
        Self::Store,
        Self::MetricSeries,
        Self::ResponseSize,
        Self::BodyBuffer,
        Self::BodyBuffers,
        Self::HttpTimeout,
        Self::HttpResponseSize,
        Self::HttpRequestSize,
        Self::HttpCalls,
    ];

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Table => "table",
            Self::CallTimeout => "call_timeout",
            Self::WaitTimeout => "wait_timeout",
            Self::StartTimeout => "start_timeout",
            Self::Instances => "instances",
            Self::Queue => "queue",
            Self::HostCalls => "host_calls",
            Self::LogLines => "log_lines",
            Self::Counters => "counters",
            Self::Store => "store",
            Self::MetricSeries => "metric_series",
            Self::ResponseSize => "response_size",
            Self::BodyBuffer => "body_buffer",
            Self::BodyBuffers => "body_buffers",
            Self::HttpTimeout => "http_timeout",
            Self::HttpResponseSize => "http_response_size",
            Self::HttpRequestSize => "http_request_size",
            Self::HttpCalls => "http_calls",
        }
    }
}

/// One plugin's counts by limit.
#[derive(Debug, Default)]
pub struct Limited([AtomicU64; Limit::ALL.len()]);

impl Limited {
    /// The plugin was limited once more. One atomic addition.
    pub fn count(&self, limit: Limit) {
        self.of(limit).fetch_add(1, Ordering::Relaxed);
    }

    /// The count of one limit, for those who count by themselves.
    pub fn of(&self, limit: Limit) -> &AtomicU64 {
        &self.0[limit as usize]
    }

    /// The limits that were met, and how often.
    pub(super) fn met(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |limit: Limit| (limit.as_str(), self.of(limit).load(Ordering::Relaxed));
        Limit::ALL
            .into_iter()
            .map(count)
            .filter(|(_, count)| *count > 0)
    }
}
