//! Bodies pass as they come, in both directions, and are held nowhere.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use crate::support::{
    Gateway, Scripted, Wire, eventually,
    frames::{END_HEADERS, END_STREAM, Frames, HEADERS, fields},
    one_route,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn gateway(upstream: &Scripted) -> Gateway {
    Gateway::start(&[], &one_route(&[upstream.address], "", ""))
}

#[test]
fn a_response_that_trickles_reaches_the_client_before_it_ends() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let gone = gone.lock().expect("a lock");
        for part in ["first", "second"] {
            wire.send(format!("{:x}\r\n{part}\r\n", part.len()));
            gone.recv().expect("the client has read it");
        }
        wire.send("0\r\n\r\n");
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(wire.reply_head().status, 200);
    for part in ["first", "second"] {
        assert_eq!(wire.chunk(), part.as_bytes());
        go.send(()).expect("the upstream waits");
    }
    assert_eq!(wire.chunk(), b"");
}

/// A service of server-sent events, which sends each when it is told to.
fn events(head: &'static str) -> (Scripted, mpsc::Sender<&'static str>) {
    let (tell, told) = mpsc::channel::<&'static str>();
    let told = Mutex::new(told);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        wire.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{head}\r\n"
        ));
        let chunked = head.contains("chunked");
        while let Ok(event) = told.lock().expect("a lock").recv() {
            match chunked {
                true => wire.send(format!("{:x}\r\n{event}\r\n", event.len())),
                false => wire.send(event),
            }
        }
        if chunked {
            wire.send("0\r\n\r\n");
        }
    });
    (upstream, tell)
}

const EVENTS: [&str; 4] = [
    ": begins\n\n",
    "data: 1\n\n",
    "id: 2\ndata: 2\n",
    "\ndata: 3\n\n",
];

#[test]
fn every_event_arrives_before_the_next_is_sent() {
    for head in ["transfer-encoding: chunked\r\n", "connection: close\r\n"] {
        let (upstream, tell) = events(head);
        let gateway = gateway(&upstream);
        let mut wire = Wire::connect(gateway.address);
        wire.send("GET /a HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n");
        let reply = wire.reply_head();
        assert_eq!(reply.header("content-type"), "text/event-stream");
        for event in EVENTS {
            tell.send(event).expect("the upstream waits");
            assert_eq!(wire.chunk(), event.as_bytes(), "{head}");
        }
        drop(tell);
        assert_eq!(wire.chunk(), b"");

        let (upstream, tell) = events(head);
        let gateway = self::gateway(&upstream);
        let mut client = Frames::connect(gateway.address);
        let get = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/a"),
            (":authority", "a"),
        ];
        client.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&get));
        assert!(
            client.next_of(HEADERS).is_some(),
            "the head comes before any event"
        );
        for event in EVENTS {
            tell.send(event).expect("the upstream waits");
            let data = client.next_of(0).expect("an event");
            assert_eq!(data.payload, event.as_bytes(), "{head}");
        }
        drop(tell);
        let end = client.next_of(0).expect("the end");
        assert_eq!((end.flags & END_STREAM, end.payload.len()), (END_STREAM, 0));
    }
}

#[test]
fn a_long_poll_is_answered_when_there_is_something_to_say() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        while !wire.head().is_empty() {
            gone.lock()
                .expect("a lock")
                .recv()
                .expect("the test says when");
            wire.send(OK);
        }
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    for _ in 0..3 {
        wire.send("GET /poll HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(wire.is_silent_for(Duration::from_millis(50)));
        go.send(()).expect("the upstream waits");
        assert_eq!(wire.reply().text(), "ok");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_response_that_breaks_off_does_so_for_the_client_too() {
    let upstream = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = wire.reply_head();
    assert_eq!(head.header("content-length"), "10");
    assert_eq!(wire.rest(), b"hello");
}

/// Bytes that show where they come from: no block of a power of two repeats.
fn pattern(length: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..10_007_u32).map(|at| (at >> 3) as u8).collect();
    let mut bytes = block.repeat(length / block.len() + 1);
    bytes.truncate(length);
    bytes
}

#[test]
fn a_large_request_body_passes_unharmed_and_is_not_buffered() {
    const LENGTH: usize = 40 << 20;
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        let gone = gone.lock().expect("a lock");
        gone.recv().expect("the client has stalled");
        let body = wire.take(LENGTH);
        let whole = body == pattern(LENGTH);
        let answer = if whole {
            OK
        } else {
            "HTTP/1.1 400 Bad\r\n\r\n"
        };
        wire.send(answer);
    });
    let gateway = gateway(&upstream);
    let before = resident(&gateway);
    let body = pattern(LENGTH);
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n"
    ));
    let sent = wire.send_until_stalled(&body, Duration::from_millis(500));
    assert!(sent < LENGTH, "the gateway took all that nobody reads");
    let grown = resident(&gateway) - before;
    assert!(grown < f64::from(8 << 20), "{grown} bytes more");
    go.send(()).expect("the upstream waits");
    wire.send(&body[sent..]);
    assert_eq!(wire.reply().status, 200);
}

fn resident(gateway: &Gateway) -> f64 {
    let bytes = gateway.metric("process_resident_memory_bytes ");
    bytes.expect("a figure")
}

#[test]
fn a_chunked_body_of_20_mib_passes_unharmed() {
    const LENGTH: usize = 20 << 20;
    let upstream = Scripted::start(|mut wire| {
        assert!(wire.head().contains("transfer-encoding: chunked\r\n"));
        let mut body = Vec::new();
        loop {
            let chunk = wire.chunk();
            if chunk.is_empty() {
                break;
            }
            body.extend(chunk);
        }
        let whole = body == pattern(LENGTH);
        let answer = if whole {
            OK
        } else {
            "HTTP/1.1 400 Bad\r\n\r\n"
        };
        wire.send(answer);
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for chunk in pattern(LENGTH).chunks(100_000) {
        wire.send(format!("{:x}\r\n", chunk.len()));
        wire.send(chunk);
        wire.send("\r\n");
    }
    wire.send("0\r\n\r\n");
    assert_eq!(wire.reply().status, 200);
}

#[test]
fn a_client_that_goes_ends_its_request() {
    let (told, hear) = mpsc::channel();
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        told.send("here").expect("the test listens");
        wire.rest();
        told.send("gone").expect("the test listens");
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    let patience = Duration::from_secs(10);
    assert_eq!(hear.recv_timeout(patience), Ok("here"));
    drop(wire);
    assert_eq!(hear.recv_timeout(patience), Ok("gone"));
    eventually("nothing is in flight", || {
        gateway.metric("portcullis_requests_in_flight{route=\"r\"} ") == Some(0.0)
    });
}
