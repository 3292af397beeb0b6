//! Where messages begin and end, for the service and for whoever comes next: what
//! it gets byte by byte, and that nobody gets what was meant for another.

use std::sync::{Arc, Mutex, mpsc};

use crate::support::{
    Gateway, Http2, Scripted, Wire, eventually,
    frames::{END_HEADERS, END_STREAM, Frames, HEADERS, RST_STREAM, fields},
    one_route,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const DATA: u8 = 0;

fn start(upstream: &Scripted, route: &str) -> Gateway {
    Gateway::start(&[], &one_route(&[upstream.address], "", route))
}

/// What came on each connection from its beginning to its end.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// An upstream that answers each head at once, whatever follows it, and notes all
/// that comes.
fn hasty(answer: &'static str) -> (Scripted, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let upstream = Scripted::start(move |mut wire| {
        let mut head = wire.head();
        while head.starts_with("GET /healthy ") {
            wire.send(OK);
            head = wire.head();
        }
        if head.is_empty() {
            return;
        }
        wire.send(answer);
        let mut all = head.into_bytes();
        all.extend(wire.rest());
        noted.lock().expect("a lock").push(all);
    });
    (upstream, seen)
}

#[track_caller]
fn healthy(gateway: &Gateway) {
    assert_eq!(gateway.get("/healthy").text(), "ok");
    let client = Http2::connect(gateway.address, "a");
    let whole = client.send("GET", "/healthy", &[], "").expect("a reply");
    assert_eq!(whole.reply.text(), "ok");
}

#[track_caller]
fn only(seen: &Seen) -> String {
    eventually("its connection is closed", || {
        !seen.lock().expect("a lock").is_empty()
    });
    let mut seen = seen.lock().expect("a lock");
    assert_eq!(seen.len(), 1);
    String::from_utf8(seen.remove(0)).expect("text")
}

// Case 6.
#[test]
fn a_malformed_chunk_ends_the_services_connection_before_the_body_does() {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let upstream = Scripted::start(move |mut wire| {
        let mut all = wire.head().into_bytes();
        if all.starts_with(b"GET") {
            return wire.send(OK);
        }
        all.extend(wire.rest());
        noted.lock().expect("a lock").push(all);
    });
    let gateway = start(&upstream, "");
    for bad in [
        "0x1\r\na\r\n",
        "fffffffffffffffff\r\n",
        "1;\n",
        "1\r\nab",
        "-1\r\n",
        "\r\n",
        " 1\r\na\r\n",
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\ngood\r\n");
        wire.send(bad);
        wire.send("\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: a\r\n\r\n");
        let rest = wire.rest();
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
            "{bad:?}: {rest:?}"
        );
        // Some are refused before anybody was connected to.
        eventually("the service has seen its end, or nothing of it", || {
            gateway.metric("portcullis_requests_in_flight{route=\"r\"} ") == Some(0.0)
                && gateway.metric("portcullis_upstream_connections ") == Some(0.0)
        });
        for all in std::mem::take(&mut *seen.lock().expect("a lock")) {
            let all = String::from_utf8(all).expect("text");
            assert!(
                !all.contains("\r\n0\r\n") && !all.contains("hidden"),
                "{bad:?}: {all}"
            );
        }
        healthy(&gateway);
    }
}

// Case 10.
#[test]
fn a_get_with_a_body_is_framed_as_any_other() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            let mut body = Vec::new();
            if head.contains("transfer-encoding: chunked\r\n") {
                loop {
                    let chunk = wire.chunk();
                    if chunk.is_empty() {
                        break;
                    }
                    body.extend(chunk);
                }
            } else if let Some(length) = head.split("content-length: ").nth(1) {
                let length = length.lines().next().and_then(|length| length.parse().ok());
                body = wire.take(length.expect("a number"));
            }
            noted.lock().expect("a lock").push((head, body));
            wire.send(OK);
        }
    });
    let gateway = start(&upstream, "");
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let length = hidden.len();
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "GET /a HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{hidden}"
    ));
    assert_eq!(wire.reply().text(), "ok");
    wire.send(format!(
        "GET /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"
    ));
    assert_eq!(wire.reply().text(), "ok");
    let client = Http2::connect(gateway.address, "a");
    for method in ["GET", "DELETE", "OPTIONS"] {
        let whole = client.send(method, "/a", &[], hidden).expect("a reply");
        assert_eq!(whole.reply.text(), "ok");
    }
    wire.send("GET /last HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(wire.reply().text(), "ok");
    let seen = seen.lock().expect("a lock");
    assert_eq!(seen.len(), 6);
    for (head, body) in &seen[..5] {
        assert!(head.contains(" /a HTTP/1.1\r\n"), "{head}");
        assert_eq!(body, hidden.as_bytes(), "{head}");
    }
    assert!(seen[5].0.starts_with("GET /last ") && seen[5].1.is_empty());
}

// Case 11.
#[test]
fn a_body_that_was_announced_and_refused_is_read_by_nobody() {
    let (upstream, seen) = hasty("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let gateway = start(&upstream, "");
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let length = hidden.len();
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    // The gateway wants the body, and then the service does not.
    let mut reply = wire.reply_head();
    if reply.status == 100 {
        reply = wire.reply_head();
    }
    assert_eq!(reply.status, 403);
    assert_eq!(wire.take(2), b"no");
    // The service's connection is given up before a byte of the body went there.
    let all = only(&seen);
    assert!(
        all.ends_with("\r\n\r\n") && !all.contains("expect"),
        "{all}"
    );
    assert!(!all.contains("hidden"), "{all}");
    // Whatever comes now is that body, or nothing.
    let _ = wire.try_send(hidden);
    let rest = wire.rest();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    healthy(&gateway);
    assert!(seen.lock().expect("a lock").is_empty());
}

// Case 11.
#[test]
fn a_body_that_a_filter_refuses_is_not_asked_for() {
    let (upstream, seen) = hasty(OK);
    let keys = "pipeline: [{ plugin: key-auth, config: { consumers: [{ name: a, key: \"a-long-enough-key\" }] } }]";
    let route = one_route(&[upstream.address], "", keys);
    let gateway = Gateway::start(&["key-auth"], &route);
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\nx-api-key: a-long-enough-key\r\n\r\n";
    let length = hidden.len();
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    assert_eq!(wire.reply().status, 401, "and no 100 before it");
    let _ = wire.try_send(hidden);
    let rest = wire.rest();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    assert_eq!(upstream.connections(), 0);
    // One that comes whole beside the request is not taken for a request either.
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{hidden}"
    ));
    assert_eq!(wire.reply().status, 401);
    wire.finish();
    assert!(wire.rest().is_empty());
    assert_eq!(upstream.connections(), 0);
    assert!(seen.lock().expect("a lock").is_empty());
    let mut client = gateway.client();
    let reply = client.get("/healthy", &[("x-api-key", "a-long-enough-key")]);
    assert_eq!(reply.text(), "ok");
}

// Case 11.
#[test]
fn an_expectation_over_http2_is_met_and_a_refusal_leaves_other_streams_alone() {
    let (upstream, seen) = hasty("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let gateway = start(&upstream, "");
    let mut client = Frames::connect(gateway.address);
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a"),
        (":authority", "a"),
        ("content-length", "9"),
        ("expect", "100-continue"),
    ];
    client.send(HEADERS, END_HEADERS, 1, &fields(&head));
    // The answer comes while the body is unsent, and then its stream is over.
    while let Some(frame) = client.next() {
        if frame.kind == DATA && frame.flags & END_STREAM != 0 {
            assert_eq!(frame.payload, b"no");
            break;
        }
        assert_ne!(frame.kind, RST_STREAM, "before the answer");
    }
    let all = only(&seen);
    assert!(
        all.ends_with("\r\n\r\n") && !all.contains("expect"),
        "{all}"
    );
    client.send(DATA, END_STREAM, 1, b"too late!");
    let head = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/healthy"),
        (":authority", "a"),
    ];
    client.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields(&head));
    let body =
        std::iter::from_fn(|| client.next()).find(|frame| frame.kind == DATA && frame.stream == 3);
    assert_eq!(body.expect("an answer").payload, b"ok");
    healthy(&gateway);
}

// Case 12.
#[test]
fn a_response_of_two_lengths_is_502_and_its_connection_nobodys() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 6\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\ncontent-length: 2, 6\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\npoison",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\npoison",
    ] {
        let (upstream, seen) = hasty(answer);
        let gateway = start(&upstream, "");
        let mut wire = Wire::connect(gateway.address);
        wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(wire.reply().status, 502, "{answer}");
        only(&seen);
        wire.send("GET /healthy HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(wire.reply().text(), "ok", "{answer}");
        let client = Http2::connect(gateway.address, "a");
        let whole = client.send("GET", "/a", &[], "").expect("a reply");
        assert_eq!(whole.reply.status, 502, "{answer}");
        only(&seen);
        healthy(&gateway);
    }
}

// Case 12.
#[test]
fn what_comes_behind_a_response_is_given_to_nobody() {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            let Some(path) = head.split(' ').nth(1) else {
                return;
            };
            let length = path.len();
            let own = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}");
            if !wire.try_send(format!("{own}{poison}")) {
                return;
            }
        }
    });
    let gateway = start(&upstream, "");
    let mut client = gateway.client();
    let over_http2 = Http2::connect(gateway.address, "a");
    for number in 0..50 {
        let path = format!("/{number}");
        assert_eq!(client.get(&path, &[]).text(), path);
        let whole = over_http2.send("GET", &path, &[], "").expect("a reply");
        assert_eq!(whole.reply.text(), path);
    }
    assert_eq!(upstream.connections(), 100, "each has answered once");
}

// Case 12.
#[test]
fn a_response_that_nobody_asked_for_is_given_to_nobody() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        wire.send(OK);
        if gone.lock().expect("a lock").recv().is_ok() {
            let _ = wire.try_send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
            wire.rest();
        }
    });
    let gateway = start(&upstream, "");
    let mut client = gateway.client();
    assert_eq!(client.get("/a", &[]).text(), "ok");
    let open = || gateway.metric("portcullis_upstream_connections ");
    assert_eq!(open(), Some(1.0), "it is kept");
    go.send(()).expect("the upstream waits");
    eventually("and then no more", || open() == Some(0.0));
    assert_eq!(client.get("/b", &[]).text(), "ok");
    assert_eq!(upstream.connections(), 2);
    drop(go);
}

// Case 12.
#[test]
fn an_answer_before_the_bodys_end_passes_and_its_connection_is_given_up() {
    let (upstream, seen) = hasty("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
    let gateway = start(&upstream, "");
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\npart of it");
    let reply = wire.reply();
    assert_eq!((reply.status.as_u16(), &*reply.text()), (200, "early"));
    let all = only(&seen);
    assert!(
        all.ends_with("\r\n\r\npart of it") || all.ends_with("\r\n\r\n"),
        "{all}"
    );
    // What the client sends now is the rest of that body, and no request.
    let _ = wire.try_send("GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(wire.rest().is_empty());
    healthy(&gateway);
    assert!(seen.lock().expect("a lock").is_empty());
}
