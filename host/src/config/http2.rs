//! Bounds on what clients may do with HTTP/2, and their reader.

use std::time::Duration;

use super::{
    duration::duration,
    reader::Item,
    scalar::{count, small},
    size::{GIB, KIB, size},
};

/// The largest window (RFC 9113 §6.9.1).
const LARGEST_WINDOW: u64 = (1 << 31) - 1;

/// Bounds on what a client may do with one connection of HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2Limits {
    /// Requests at the same time. Default 100.
    pub streams: u32,
    /// Bytes of one request's body that may wait to be read. Default 256 KiB.
    pub stream_window: u32,
    /// The same of all requests together. Default 1 MiB.
    pub connection_window: u32,
    /// Bytes of one response that may wait to be sent. Default 64 KiB.
    pub send_buffer: usize,
    /// Bytes of the heads of all requests together. Default 1 MiB.
    pub heads: usize,
    /// Requests that were taken back before anybody looked at them; more close
    /// the connection. Default 20.
    pub resets: usize,
    /// Frames that carry nothing of a request, or take one back, in ten seconds;
    /// more close the connection. Default 1,000.
    pub control_frames: u32,
    /// Frames with less than nine bytes of a body, in ten seconds, that neither a longer
    /// one nor a part of a response makes up for; more close the connection. Default
    /// 1,000.
    pub small_frames: u32,
    /// How often a connection on which nothing comes is asked for a sign of life.
    /// Default 30 s.
    pub ping_interval: Duration,
    /// How long it may take to give one. Default 10 s.
    pub ping_timeout: Duration,
    /// How long a connection may be without a request. Default 60 s.
    pub idle_timeout: Duration,
}

impl Http2Limits {
    /// The defaults.
    pub const USUAL: Self = Self {
        streams: 100,
        stream_window: 256 << 10,
        connection_window: 1 << 20,
        send_buffer: 64 << 10,
        heads: 1 << 20,
        resets: 20,
        control_frames: 1_000,
        small_frames: 1_000,
        ping_interval: Duration::from_secs(30),
        ping_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
    };
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self::USUAL
    }
}

/// The keys are the fields of [`Http2Limits`].
pub(super) fn http2(item: &Item<'_>) -> Option<Http2Limits> {
    let fields = item.fields(&[
        "streams",
        "stream_window",
        "connection_window",
        "send_buffer",
        "heads",
        "resets",
        "control_frames",
        "small_frames",
        "ping_interval",
        "ping_timeout",
        "idle_timeout",
    ])?;
    let usual = Http2Limits::default();
    let window = |key, default| {
        fields.read_or(key, default, |item| {
            u32::try_from(size(item, 64 * KIB..=LARGEST_WINDOW)?).ok()
        })
    };
    let time = |key, default| fields.read_or(key, default, duration);
    Some(Http2Limits {
        streams: fields.read_or("streams", usual.streams, |item| {
            u32::try_from(count(item, 1..=10_000)?).ok()
        }),
        stream_window: window("stream_window", usual.stream_window),
        connection_window: window("connection_window", usual.connection_window),
        send_buffer: fields.read_or("send_buffer", usual.send_buffer, |item| {
            usize::try_from(size(item, 16 * KIB..=GIB)?).ok()
        }),
        heads: fields.read_or("heads", usual.heads, |item| {
            usize::try_from(size(item, 64 * KIB..=GIB)?).ok()
        }),
        resets: fields.read_or("resets", usual.resets, |item| count(item, 1..=10_000)),
        control_frames: fields.read_or("control_frames", usual.control_frames, |item| {
            small(item, 10..=1_000_000)
        }),
        small_frames: fields.read_or("small_frames", usual.small_frames, |item| {
            small(item, 100..=100_000_000)
        }),
        ping_interval: time("ping_interval", usual.ping_interval),
        ping_timeout: time("ping_timeout", usual.ping_timeout),
        idle_timeout: time("idle_timeout", usual.idle_timeout),
    })
}
