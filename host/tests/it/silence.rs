//! Responses that say nothing for a while, as events and long polling do: each
//! version of HTTP, on either side, lets them be for as long as their route says.

use std::time::{Duration, Instant};

use crate::support::{
    Gateway, Scripted, Wire, eventually,
    frames::{
        ACK, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, fields,
    },
};

/// What no time but the route's own may be longer than.
const SHORT: Duration = Duration::from_millis(300);

/// Every time that a connection or a stream has, but that of a response which is
/// silent.
const LIMITS: &str = "limits: { head_timeout: 300ms, keep_alive_timeout: 300ms, \
    body_timeout: 300ms, write_timeout: 300ms, stream_timeout: 300ms, idle_timeout: 300ms, \
    http2: { idle_timeout: 300ms, ping_interval: 100ms, ping_timeout: 300ms } }\n";

/// A route `events` that may be silent for long, and one for all the rest.
fn start(upstream: &Scripted, protocol: &str) -> Gateway {
    let address = upstream.address;
    let config = format!(
        "{LIMITS}services: {{ s: {{ instances: [{{ address: \"{address}\" }}], protocol: {protocol} }} }}\n\
         routes:\n  - {{ name: events, match: {{ path: /events }}, service: s, limits: {{ stream_timeout: 1h }} }}\n  \
         - {{ name: other, service: s }}\n"
    );
    Gateway::start(&[], &config)
}

/// A service of HTTP/1.1 that sends one event, and another after a while.
fn http1() -> Scripted {
    Scripted::start(|mut wire| {
        wire.head();
        wire.send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\n4\r\none\n\r\n",
        );
        wire.is_silent_for(SHORT * 3);
        wire.try_send("4\r\ntwo\n\r\n0\r\n\r\n");
        wire.rest();
    })
}

/// The same in HTTP/2, of many requests on a connection.
fn http2() -> Scripted {
    Scripted::start(|wire| {
        let mut frames = Frames::of(wire);
        let mut silent: Vec<(u32, Instant)> = Vec::new();
        loop {
            silent.retain(|(stream, until)| {
                let over = Instant::now() >= *until;
                if over {
                    frames.send(0, END_STREAM, *stream, b"two\n");
                }
                !over
            });
            if frames.is_silent_for(SHORT / 10) {
                continue;
            }
            let Some(frame) = frames.next() else {
                return;
            };
            match frame.kind {
                PING if frame.flags & ACK == 0 => frames.send(PING, ACK, 0, &frame.payload),
                HEADERS => {
                    // `:status` is 200 by its place in the table.
                    frames.send(HEADERS, END_HEADERS, frame.stream, &[0x88]);
                    frames.send(0, 0, frame.stream, b"one\n");
                    silent.push((frame.stream, Instant::now() + SHORT * 3));
                }
                _ => {}
            }
        }
    })
}

/// What comes of a request by HTTP/1.1, and whether it came whole.
fn by_http1(gateway: &Gateway, path: &str) -> (String, bool) {
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(wire.reply_head().status, 200);
    let rest = String::from_utf8(wire.rest()).expect("text");
    let events = rest.lines().filter(|line| ["one", "two"].contains(line));
    (events.collect(), rest.ends_with("0\r\n\r\n"))
}

/// The same by HTTP/2, whose client answers pings and gives windows.
fn by_http2(gateway: &Gateway, path: &str) -> (String, bool) {
    let mut frames = Frames::connect(gateway.address);
    let get = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a"),
    ]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &get);
    let mut events = String::new();
    loop {
        let frame = frames
            .next()
            .expect("the stream ends before its connection");
        match frame.kind {
            0 => events.push_str(
                std::str::from_utf8(&frame.payload)
                    .expect("text")
                    .trim_end(),
            ),
            PING | SETTINGS if frame.flags & ACK == 0 => {
                frames.send(
                    frame.kind,
                    ACK,
                    0,
                    if frame.kind == PING {
                        &frame.payload
                    } else {
                        &[]
                    },
                );
            }
            RST_STREAM | GOAWAY => return (events, false),
            _ => {}
        }
        if frame.kind == 0 && frame.flags & END_STREAM != 0 {
            return (events, true);
        }
    }
}

#[test]
fn a_silent_service_is_let_be_for_as_long_as_the_route_says() {
    for (upstream, protocol) in [(http1(), "http1"), (http2(), "http2")] {
        let gateway = start(&upstream, protocol);
        type Ask = fn(&Gateway, &str) -> (String, bool);
        for (client, ask) in [("HTTP/1.1", by_http1 as Ask), ("HTTP/2", by_http2)] {
            let whole = ("onetwo".to_owned(), true);
            assert_eq!(ask(&gateway, "/events"), whole, "{client} to {protocol}");
            let cut = ("one".to_owned(), false);
            assert_eq!(ask(&gateway, "/other"), cut, "{client} to {protocol}");
        }
        let refused = gateway.metric("portcullis_refused_total{reason=\"write_timeout\"}");
        assert_eq!(refused, Some(0.0), "no client was slow");
    }
}

#[test]
fn a_client_that_takes_nothing_is_let_go_whatever_the_route_says() {
    let upstream = Scripted::long();
    let gateway = start(&upstream, "http1");
    let late = || gateway.metric("portcullis_refused_total{reason=\"write_timeout\"}");
    let open = || gateway.metric("portcullis_requests_in_flight{route=\"events\"}");
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is late", || late() == Some(1.0) && open() == Some(0.0));
    let mut frames = Frames::connect(gateway.address);
    let get = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/events"),
        (":authority", "a"),
    ]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &get);
    // It takes what comes and gives no window for more.
    let reset = std::iter::from_fn(|| {
        let frame = frames.next()?;
        if frame.kind == PING {
            frames.send(PING, ACK, 0, &frame.payload);
        }
        Some(frame)
    });
    let reset = reset.into_iter().find(|frame| frame.kind == RST_STREAM);
    assert_eq!(reset.expect("a reset").stream, 1);
    eventually("its request is over", || open() == Some(0.0));
    assert_eq!(late(), Some(2.0));
}
