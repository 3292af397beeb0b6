//! What one route takes of a body, in bytes and in time, where others take more.

use std::time::{Duration, Instant};

use crate::support::{
    Gateway, Http2, Scripted, Upstream, Wire, eventually,
    frames::{END_HEADERS, Frames, HEADERS, RST_STREAM, fields},
};

/// How long a client waits before it sends one byte more.
const PACE: Duration = Duration::from_millis(40);

/// All that a body may take on the route `tight`.
const TOTAL: Duration = Duration::from_millis(500);

/// The longest that anything is to take which ends after [`TOTAL`].
const SOON: Duration = Duration::from_millis(1_500);

/// A route `tight` for `/tight` with these limits, and one for all the rest.
fn start(instance: std::net::SocketAddr, limits: &str) -> Gateway {
    let config = format!(
        "services: {{ s: {{ instances: [{{ address: \"{instance}\" }}] }} }}\n\
         routes:\n  - {{ name: tight, match: {{ path: /tight }}, service: s, limits: {{ {limits} }} }}\n  \
         - {{ name: other, service: s }}\n"
    );
    Gateway::start(&[], &config)
}

fn refused(gateway: &Gateway, reason: &str) -> f64 {
    let series = format!("portcullis_refused_total{{reason=\"{reason}\"}}");
    gateway.metric(&series).expect("it is always there")
}

fn answered(gateway: &Gateway, route: &str, status: u16) -> f64 {
    let series = format!("portcullis_requests_total{{route=\"{route}\",status=\"{status}\"}} ");
    gateway.metric(&series).unwrap_or_default()
}

/// Sends a byte of a body whenever nothing has come for a while, `count` at most.
fn drip(wire: &mut Wire, part: &str, count: usize) -> usize {
    let sent = (0..count).take_while(|_| wire.is_silent_for(PACE) && wire.try_send(part));
    sent.count()
}

/// The same on a stream of HTTP/2, up to the frame that ends it or answers.
fn drip_frames(frames: &mut Frames, stream: u32) -> u8 {
    loop {
        while frames.is_silent_for(PACE) {
            frames.send(0, 0, stream, b"x");
        }
        let frame = frames.next().expect("the connection goes on");
        if frame.stream == stream && [HEADERS, RST_STREAM].contains(&frame.kind) {
            return frame.kind;
        }
    }
}

fn post(path: &str) -> Vec<u8> {
    fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a.example"),
    ])
}

#[test]
fn a_route_has_its_own_size_of_bodies() {
    let upstream = Upstream::start("a");
    let gateway = start(upstream.address, "request_body: 4");
    let http2 = Http2::connect(gateway.address, "a.example");
    for (path, body, status) in [
        ("/tight", "1234", 200),
        ("/tight", "12345", 413),
        ("/other", "12345", 200),
    ] {
        let mut wire = Wire::connect(gateway.address);
        let length = body.len();
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
        assert_eq!(wire.reply().status, status, "{path} {body}");
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
             1\r\n1\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            length - 1,
            &body[1..]
        ));
        assert_eq!(wire.reply().status, status, "{path} {body} in chunks");
        let whole = http2.send("POST", path, &[], body).expect("a reply");
        assert_eq!(whole.reply.status, status, "{path} {body} in HTTP/2");
    }
    assert_eq!(refused(&gateway, "body"), 3.0);
}

#[test]
fn a_route_has_its_own_time_for_the_next_byte() {
    let upstream = Upstream::start("a");
    let gateway = start(upstream.address, "body_timeout: 300ms");
    let send = |path: &str| {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1"
        ));
        wire
    };
    let (mut tight, mut other) = (send("/tight"), send("/other"));
    assert_eq!(tight.reply().status, 408);
    assert!(other.is_silent_for(Duration::from_millis(300)));
    other.send("2");
    assert_eq!(other.reply().status, 200);
    assert_eq!(refused(&gateway, "body_timeout"), 1.0);
}

#[test]
fn a_body_that_drips_is_answered_408_when_its_time_is_over() {
    let upstream = Upstream::start("a");
    let gateway = start(upstream.address, "body_total_timeout: 500ms");
    for (head, part) in [
        ("content-length: 1000", "x"),
        ("transfer-encoding: chunked", "1\r\nx\r\n"),
    ] {
        let mut wire = Wire::connect(gateway.address);
        let begun = Instant::now();
        wire.send(format!("POST /tight HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n"));
        drip(&mut wire, part, usize::MAX);
        let took = begun.elapsed();
        let reply = wire.reply();
        assert_eq!(reply.status, 408, "{head}");
        assert!(
            reply.text().contains("too long for all of its body"),
            "{}",
            reply.text()
        );
        assert!(took >= TOTAL && took < SOON, "{took:?}");
        assert!(wire.rest().is_empty(), "closed");
    }
    assert_eq!(refused(&gateway, "body_total_timeout"), 2.0);
    // Of HTTP/2 the stream alone.
    let mut frames = Frames::connect(gateway.address);
    let begun = Instant::now();
    frames.send(HEADERS, END_HEADERS, 1, &post("/tight"));
    assert_eq!(drip_frames(&mut frames, 1), HEADERS, "an answer");
    let took = begun.elapsed();
    assert!(took >= TOTAL && took < SOON, "{took:?}");
    frames.send(HEADERS, END_HEADERS, 3, &post("/other"));
    frames.send(0, 1, 3, b"x");
    assert_eq!(frames.next_of(HEADERS).expect("an answer").stream, 3);
    assert_eq!(refused(&gateway, "body_total_timeout"), 3.0);
    assert_eq!(answered(&gateway, "tight", 408), 3.0);
    // On another route the same goes on for longer.
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /other HTTP/1.1\r\nhost: a\r\ncontent-length: 25\r\n\r\n");
    assert_eq!(drip(&mut wire, "x", 25), 25);
    assert_eq!(wire.reply().status, 200);
}

/// A service that answers at once, says nothing more and takes all that comes.
fn early() -> Scripted {
    Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
        wire.rest();
    })
}

#[test]
fn it_holds_when_the_response_is_on_its_way() {
    let upstream = early();
    let gateway = start(upstream.address, "body_total_timeout: 500ms");
    let mut wire = Wire::connect(gateway.address);
    let begun = Instant::now();
    wire.send("POST /tight HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
    assert_eq!(wire.reply_head().status, 200);
    assert_eq!(wire.take(5), b"12345");
    while wire.try_send("x") && wire.is_silent_for(PACE) {}
    assert!(wire.rest().is_empty(), "broken off");
    let took = begun.elapsed();
    assert!(took >= TOTAL && took < SOON, "{took:?}");
    let mut frames = Frames::connect(gateway.address);
    frames.send(HEADERS, END_HEADERS, 1, &post("/tight"));
    assert_eq!(drip_frames(&mut frames, 1), HEADERS);
    assert_eq!(drip_frames(&mut frames, 1), RST_STREAM);
    eventually("both are over, and it was the client", || {
        refused(&gateway, "body_total_timeout") == 2.0
    });
}

#[test]
fn it_holds_when_the_response_is_over() {
    let upstream = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        wire.rest();
    });
    let gateway = start(upstream.address, "body_total_timeout: 500ms");
    let mut wire = Wire::connect(gateway.address);
    let begun = Instant::now();
    wire.send("POST /tight HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n");
    assert_eq!(wire.reply().text(), "ok");
    while wire.try_send("x") && wire.is_silent_for(PACE) {}
    wire.rest();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}
