//! What a client may make the gateway hold, and for how long: HTTP/1.1 and what
//! comes before it. Cases 33 and 35.

use std::time::{Duration, Instant};

use crate::support::{
    Client, Gateway, Http2, Scripted, Upstream, Wire, eventually,
    frames::{END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, fields},
    one_route,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// The longest that anything is to take which has a deadline of 300 ms.
const SOON: Duration = Duration::from_millis(1_300);

fn start(upstream: &Upstream, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "");
    Gateway::start(&[], &format!("limits: {{ {limits} }}\n{route}"))
}

fn refused(gateway: &Gateway, reason: &str) -> f64 {
    let series = format!("portcullis_refused_total{{reason=\"{reason}\"}}");
    gateway
        .metric(&series)
        .expect("a series that is always there")
}

/// The connection is open: a request is answered on it.
fn is_served(wire: &mut Wire) -> bool {
    if !wire.try_send(GET) {
        return false;
    }
    let head = wire.head();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    wire.take(length.unwrap_or(0));
    head.starts_with("HTTP/1.1 200")
}

#[test]
fn a_listener_has_so_many_connections_and_closes_more_at_once() {
    let upstream = Upstream::start("a");
    for (limits, reason) in [
        ("connections: 3", "connections"),
        ("connections_per_client: 3", "connections_per_client"),
    ] {
        let gateway = start(&upstream, limits);
        let mut held: Vec<Wire> = (0..3).map(|_| Wire::connect(gateway.address)).collect();
        assert!(held.iter_mut().all(is_served), "{limits}");
        for _ in 0..5 {
            assert!(Wire::connect(gateway.address).rest().is_empty(), "{limits}");
        }
        assert_eq!(refused(&gateway, reason), 5.0);
        held.pop();
        eventually("there is room again", || {
            is_served(&mut Wire::connect(gateway.address))
        });
        assert!(is_served(&mut held[0]), "who is there stays");
    }
}

#[test]
fn a_proxy_that_is_trusted_has_the_connections_of_many() {
    let upstream = Upstream::start("a");
    let route = one_route(&[upstream.address], "", "");
    let trusting = "limits: { connections_per_client: 1 }\ntrusted_proxies: [127.0.0.1]\n";
    let gateway = Gateway::start(&[], &format!("{trusting}{route}"));
    let mut held: Vec<Wire> = (0..5).map(|_| Wire::connect(gateway.address)).collect();
    assert!(held.iter_mut().all(is_served));
}

#[test]
fn a_connection_ends_after_so_many_requests() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "requests_per_connection: 3");
    let mut wire = Wire::connect(gateway.address);
    for number in 1..=3 {
        wire.send(GET);
        let reply = wire.reply();
        assert_eq!(reply.status, 200);
        let last = reply.header("connection") == "close";
        assert_eq!(last, number == 3, "{number}");
    }
    assert!(wire.rest().is_empty());
    let mut frames = Frames::connect(gateway.address);
    for stream in [1, 3, 5] {
        frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(H2_GET));
    }
    let seen: Vec<u8> = std::iter::from_fn(|| frames.next_or_pong()).collect();
    assert_eq!(seen.iter().filter(|kind| **kind == HEADERS).count(), 3);
    assert!(seen.contains(&GOAWAY));
}

const H2_GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "a.example"),
];

#[test]
fn a_connection_ends_when_it_is_old() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "connection_age: 200ms");
    let mut wire = Wire::connect(gateway.address);
    let begun = Instant::now();
    eventually("it is old", || {
        wire.send(GET);
        wire.reply().header("connection") == "close"
    });
    assert!(begun.elapsed() >= Duration::from_millis(180));
    assert!(wire.rest().is_empty());
    let mut frames = Frames::connect(gateway.address);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(H2_GET));
    let seen: Vec<u8> = std::iter::from_fn(|| frames.next_or_pong()).collect();
    assert!(
        seen.contains(&HEADERS) && seen.contains(&GOAWAY),
        "{seen:?}"
    );
}

#[test]
fn a_connection_that_is_kept_has_a_time_of_its_own() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "keep_alive_timeout: 300ms");
    let mut kept = Wire::connect(gateway.address);
    assert!(is_served(&mut kept));
    let begun = Instant::now();
    kept.rest();
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < SOON,
        "{took:?}"
    );
    assert_eq!(refused(&gateway, "head_timeout"), 0.0, "nobody was late");
    // The time until a first request, or within one, is another.
    let gateway = start(&upstream, "head_timeout: 300ms");
    let mut kept = Wire::connect(gateway.address);
    assert!(is_served(&mut kept));
    let mut silent = Wire::connect(gateway.address);
    silent.rest();
    assert!(is_served(&mut kept));
}

// Case 33.
#[test]
fn who_sends_no_whole_head_is_let_go_at_the_deadline() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "head_timeout: 300ms");
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = "\0\0\0\x04\0\0\0\0\0";
    let cases = [
        ("silence", String::new(), 0.0),
        (
            "a part of a head",
            "GET / HTTP/1.1\r\nhost: a\r\nx".to_owned(),
            1.0,
        ),
        ("a head after a request", format!("{GET}GET / HT"), 1.0),
        ("a part of HTTP/2's preface", "PRI * HT".to_owned(), 1.0),
        ("more of it", "PRI * HTTP/2.0\r\n\r\nSM".to_owned(), 1.0),
        ("a part of a frame", format!("{preface}\0\0\0\x04"), 1.0),
        (
            "HEADERS without END_HEADERS",
            format!("{preface}{settings}\0\0\x01\x01\0\0\0\0\x01\u{2}"),
            1.0,
        ),
    ];
    for (name, bytes, late) in cases {
        let before = refused(&gateway, "head_timeout");
        let mut wire = Wire::connect(gateway.address);
        let begun = Instant::now();
        wire.send(&bytes);
        wire.rest();
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(250) && took < SOON,
            "{name}: {took:?}"
        );
        assert_eq!(refused(&gateway, "head_timeout") - before, late, "{name}");
    }
    assert_eq!(gateway.get("/").status, 200);
}

// Case 33.
#[test]
fn a_head_that_trickles_has_no_more_time_than_one_that_stalls() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "head_timeout: 500ms");
    let mut wire = Wire::connect(gateway.address);
    let begun = Instant::now();
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(10_000));
    let went = head.bytes().position(|byte| {
        // The client's pace, which is what is tried.
        std::thread::sleep(Duration::from_millis(5));
        !wire.try_send([byte])
    });
    assert!(
        went.is_some() && begun.elapsed() < SOON,
        "{:?}",
        begun.elapsed()
    );
}

// Case 33.
#[test]
fn a_body_that_stalls_is_answered_408_and_its_connection_closed() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "body_timeout: 300ms");
    for head in [
        "content-length: 10\r\n\r\n12345",
        "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
    ] {
        let mut wire = Wire::connect(gateway.address);
        let begun = Instant::now();
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}"));
        let reply = wire.reply();
        let took = begun.elapsed();
        assert_eq!(reply.status, 408, "{head}");
        assert!(
            took >= Duration::from_millis(250) && took < SOON,
            "{took:?}"
        );
        assert!(wire.rest().is_empty(), "closed");
    }
    assert_eq!(refused(&gateway, "body_timeout"), 2.0);
    // One that comes slowly has its time with each part.
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n");
    for _ in 0..6 {
        // The client's pace again.
        std::thread::sleep(Duration::from_millis(100));
        wire.send("x");
    }
    assert_eq!(wire.reply().status, 200);
    // Of HTTP/2 the stream alone.
    let mut frames = Frames::connect(gateway.address);
    let post = [&[(":method", "POST")], &H2_GET[1..]].concat();
    frames.send(HEADERS, END_HEADERS, 1, &fields(&post));
    frames.send(0, 0, 1, b"12345");
    let head = frames.next_of(HEADERS).expect("an answer");
    assert_eq!(head.stream, 1);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields(H2_GET));
    assert_eq!(frames.next_of(HEADERS).expect("an answer").stream, 3);
    assert_eq!(refused(&gateway, "body_timeout"), 3.0);
}

// Case 33: a body that nobody waits for any more.
#[test]
fn a_body_that_stalls_behind_its_answer_ends_the_connection() {
    let early = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        wire.rest();
    });
    let route = one_route(&[early.address], "", "");
    let gateway = Gateway::start(&[], &format!("limits: {{ body_timeout: 300ms }}\n{route}"));
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345");
    assert_eq!(wire.reply().text(), "ok");
    let begun = Instant::now();
    wire.rest();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

// Case 33.
#[test]
fn who_does_not_read_its_answer_is_let_go() {
    let upstream = Scripted::long();
    let route = one_route(&[upstream.address], "", "");
    let gateway = Gateway::start(&[], &format!("limits: {{ write_timeout: 300ms }}\n{route}"));
    let mut wire = Wire::connect(gateway.address);
    wire.send(GET);
    eventually("it is late", || refused(&gateway, "write_timeout") == 1.0);
    eventually("it is gone", || {
        gateway.metric("portcullis_connections") <= Some(1.0)
    });
    eventually("and so is its request", || {
        gateway.metric("portcullis_requests_in_flight{route=\"r\"}") == Some(0.0)
    });
    // Else the system would keep megabytes for it.
    assert!(wire.is_broken_off(), "what was sent still waits for it");
}

// Case 33: by the window of one stream, which holds up nobody else.
#[test]
fn a_stream_that_takes_nothing_is_reset_and_others_go_on() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "write_timeout: 300ms");
    let mut frames = Frames::connect(gateway.address);
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    frames.send(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(H2_GET));
    frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields(H2_GET));
    // WINDOW_UPDATE
    frames.send(8, 0, 3, &[0, 1, 0, 0]);
    let reset = frames.next_of(3).expect("a reset");
    assert_eq!(reset.stream, 1);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 5, &fields(H2_GET));
    assert_eq!(frames.next_of(HEADERS).expect("an answer").stream, 5);
    assert_eq!(refused(&gateway, "write_timeout"), 1.0);
}

#[test]
fn a_response_that_stalls_is_broken_off() {
    let upstream = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
        wire.rest();
    });
    let route = one_route(&[upstream.address], "", "");
    let gateway = Gateway::start(
        &[],
        &format!("limits: {{ stream_timeout: 300ms }}\n{route}"),
    );
    let mut wire = Wire::connect(gateway.address);
    let begun = Instant::now();
    wire.send(GET);
    assert_eq!(wire.reply_head().status, 200);
    assert_eq!(wire.rest(), b"12345");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < SOON,
        "{took:?}"
    );
    let whole = Http2::connect(gateway.address, "a").send("GET", "/", &[], "");
    assert!(whole.is_err(), "a stream that is reset");
}

// Case 35.
#[test]
fn a_gateway_without_descriptors_goes_on_when_there_are_some() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "connections: 1000");
    let mut kept = Client::new(gateway.address);
    assert_eq!(kept.get("/", &[]).status, 200);
    let pid = rustix::process::Pid::from_raw(i32::try_from(gateway.pid()).expect("a process id"));
    let used = crate::support::open_descriptors(gateway.pid()) as u64;
    let limit = rustix::process::Rlimit {
        current: Some(used + 5),
        maximum: Some(used + 5),
    };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).expect("a limit");
    let held: Vec<Wire> = (0..50).map(|_| Wire::connect(gateway.address)).collect();
    eventually("it says so", || {
        gateway.log().contains("cannot accept a connection")
    });
    assert_eq!(kept.get("/", &[]).status, 200, "who is there is served");
    drop(held);
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn what_is_refused_is_counted_by_reason() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "request_body: 1KiB, request_headers: 20");
    let many = "x: y\r\n".repeat(30);
    let long = "x".repeat(70_000);
    let cases = [
        ("framing", "GET / HTTP/1.1\nhost: a\n\n".to_owned()),
        (
            "framing",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n".to_owned(),
        ),
        ("host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("path", "GET /%00 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("method", "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        ("head", format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")),
        ("head", format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n")),
        (
            "body",
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\n".to_owned(),
        ),
    ];
    for (reason, request) in cases {
        let before = refused(&gateway, reason);
        let mut wire = Wire::connect(gateway.address);
        let _ = wire.try_send(&request);
        wire.head();
        let shown: String = request.chars().take(40).collect();
        eventually(&format!("{reason}: {shown:?}"), || {
            refused(&gateway, reason) == before + 1.0
        });
    }
}
