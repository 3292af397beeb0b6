//! Reader of the gateway's own limits, and their defaults.

use std::time::Duration;

use super::{
    Http2Limits, Limits,
    duration::{duration, duration_or_zero},
    http2::http2,
    reader::Item,
    route_limits::{body_size, body_time},
    scalar::{count, whole},
    size::{GIB, KIB, MIB, size_in_memory},
};

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: 64 << 10,
            request_headers: 100,
            request_body: 10 * GIB,
            head_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            connections: 50_000,
            connections_per_client: 10_000,
            flood_penalty: Duration::from_secs(1),
            requests: 50_000,
            requests_per_connection: 100_000,
            connection_age: Duration::from_secs(3600),
            keep_alive_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            body_total_timeout: Duration::from_secs(3600),
            write_timeout: Duration::from_secs(30),
            stream_timeout: Duration::from_secs(300),
            http2: Http2Limits::default(),
            connect_timeout: Duration::from_secs(1),
            idle_connections: 64,
            idle_timeout: Duration::from_secs(55),
            tunnel_idle_timeout: Duration::from_secs(5 * 60),
            drain_timeout: Duration::from_secs(30),
            counters: 1_000_000,
            store: 64 << 20,
        }
    }
}

/// The keys are the fields of [`Limits`].
pub(super) fn limits(item: &Item<'_>) -> Option<Limits> {
    let fields = item.fields(&[
        "request_head",
        "request_headers",
        "request_body",
        "head_timeout",
        "handshake_timeout",
        "connections",
        "connections_per_client",
        "flood_penalty",
        "requests",
        "requests_per_connection",
        "connection_age",
        "keep_alive_timeout",
        "body_timeout",
        "body_total_timeout",
        "write_timeout",
        "stream_timeout",
        "http2",
        "connect_timeout",
        "idle_connections",
        "idle_timeout",
        "tunnel_idle_timeout",
        "drain_timeout",
        "counters",
        "store",
    ])?;
    let usual = Limits::default();
    let bytes =
        |key, default, range| fields.read_or(key, default, |item| size_in_memory(item, range));
    let number = |key, default, range| fields.read_or(key, default, |item| count(item, range));
    let time = |key, default| fields.read_or(key, default, duration);
    Some(Limits {
        request_head: bytes("request_head", usual.request_head, 8 * KIB..=MIB),
        request_headers: number("request_headers", usual.request_headers, 1..=10_000),
        request_body: fields.read_or("request_body", usual.request_body, body_size),
        head_timeout: time("head_timeout", usual.head_timeout),
        handshake_timeout: time("handshake_timeout", usual.handshake_timeout),
        connections: number("connections", usual.connections, 1..=10_000_000),
        connections_per_client: number(
            "connections_per_client",
            usual.connections_per_client,
            1..=10_000_000,
        ),
        flood_penalty: fields.read_or("flood_penalty", usual.flood_penalty, duration_or_zero),
        requests: number("requests", usual.requests, 1..=10_000_000),
        requests_per_connection: fields.read_or(
            "requests_per_connection",
            usual.requests_per_connection,
            |item| whole(item, 1..=1_000_000_000_000),
        ),
        connection_age: time("connection_age", usual.connection_age),
        keep_alive_timeout: time("keep_alive_timeout", usual.keep_alive_timeout),
        body_timeout: time("body_timeout", usual.body_timeout),
        body_total_timeout: fields.read_or(
            "body_total_timeout",
            usual.body_total_timeout,
            body_time,
        ),
        write_timeout: time("write_timeout", usual.write_timeout),
        stream_timeout: time("stream_timeout", usual.stream_timeout),
        http2: fields.read_or("http2", usual.http2, http2),
        connect_timeout: time("connect_timeout", usual.connect_timeout),
        idle_connections: number("idle_connections", usual.idle_connections, 0..=100_000),
        idle_timeout: time("idle_timeout", usual.idle_timeout),
        tunnel_idle_timeout: time("tunnel_idle_timeout", usual.tunnel_idle_timeout),
        drain_timeout: time("drain_timeout", usual.drain_timeout),
        counters: number("counters", usual.counters, 1..=100_000_000),
        store: bytes("store", usual.store, 0..=64 * GIB),
    })
}
