//! Services that are spoken to in HTTP/2: how it is agreed on, what is carried,
//! and how many connections it takes.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Authority, Gateway, Scripted, Upstream, check, eventually,
    frames::{
        ACK, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS, fields,
    },
    one_route,
};

/// The error code of a stream that was not looked at (RFC 9113 §7).
const REFUSED_STREAM: u8 = 7;

fn start(upstream: &Upstream, service: &str) -> Gateway {
    Gateway::start(&[], &one_route(&[upstream.address], service, ""))
}

#[test]
fn a_service_is_spoken_to_by_prior_knowledge() {
    let upstream = Upstream::start_http2("a");
    let gateway = start(&upstream, "protocol: http2");
    let mut client = gateway.client();
    for (method, body) in [("GET", ""), ("POST", "a body"), ("DELETE", "")] {
        let reply = client.send(method, "/x?y", &[("host", "a.example:80")], body);
        assert_eq!(reply.status, 200);
        let json = reply.json();
        assert_eq!(json["version"], "HTTP/2.0");
        assert_eq!(json["method"], method);
        assert_eq!(json["path"], "/x?y");
        assert_eq!(json["body"], body);
        assert_eq!(json["authority"], "a.example:80");
        assert_eq!(json["headers"]["te"], "trailers");
        assert_eq!(json["headers"]["x-forwarded-host"], "a.example:80");
    }
    let head = client.send("HEAD", "/", &[], "");
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[test]
fn a_service_chooses_where_it_may() {
    let authority = Authority::new();
    let own = authority.sign(&["127.0.0.1"]);
    for (protocol, offered, expected) in [
        ("auto", &["h2", "http/1.1"][..], Some("HTTP/2.0")),
        ("auto", &["http/1.1"], Some("HTTP/1.1")),
        ("auto", &[], Some("HTTP/1.1")),
        ("http1", &["h2", "http/1.1"], Some("HTTP/1.1")),
        ("http2", &["h2", "http/1.1"], Some("HTTP/2.0")),
        ("http2", &["http/1.1"], None),
        ("http2", &[], None),
    ] {
        let upstream = Upstream::start_secured("a", own.server_speaking(offered));
        let ca = authority.ca().display().to_string();
        let service = format!("protocol: {protocol}\ntls: {{ ca: \"{ca}\" }}");
        let gateway = start(&upstream, &service);
        let mut client = gateway.client();
        for _ in 0..3 {
            let reply = client.get("/", &[]);
            match expected {
                Some(version) => assert_eq!(reply.json()["version"], version, "{protocol}"),
                None => assert_eq!(reply.status, 502, "{protocol} {offered:?}"),
            }
        }
    }
}

#[test]
fn many_requests_share_a_connection() {
    let upstream = Upstream::start_http2("a");
    upstream.delay(Duration::from_millis(300));
    let gateway = start(&upstream, "protocol: http2");
    let barrier = Barrier::new(40);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let mut client = gateway.client();
                barrier.wait();
                assert_eq!(client.get("/", &[]).status, 200);
            });
        }
    });
    assert_eq!(upstream.hits(), 40);
    // One for each of the two workers.
    assert!(upstream.connections() <= 2, "{}", upstream.connections());
}

#[test]
fn more_requests_than_a_connection_takes_get_another() {
    let upstream = Upstream::start_http2("a");
    upstream.delay(Duration::from_millis(300));
    let limits = "limits: { http2: { streams: 4 } }\n";
    let route = one_route(&[upstream.address], "protocol: http2", "");
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| assert_eq!(gateway.client().get("/", &[]).status, 200));
        }
    });
    let connections = upstream.connections();
    assert!((2..=12).contains(&connections), "{connections}");
}

/// A client that asks, and has no window for an answer.
fn takes_nothing(gateway: &Gateway, body: &[u8]) -> Frames {
    let mut client = Frames::connect(gateway.address);
    client.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    // The gateway's windows are those that it says once it knows that they are heard.
    assert!(client.next_of(SETTINGS).is_some(), "settings");
    client.send(SETTINGS, ACK, 0, b"");
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a.example"),
        // What is sent is answered.
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    client.send(HEADERS, END_HEADERS, 1, &fields(&head));
    for part in body.chunks(16 << 10) {
        client.send(DATA, 0, 1, part);
    }
    client.send(DATA, END_STREAM, 1, b"");
    assert!(client.next_of(HEADERS).is_some(), "the head of an answer");
    client
}

#[test]
fn clients_who_take_nothing_hold_up_nobody_else() {
    let upstream = Upstream::start_http2("a");
    let gateway = start(&upstream, "protocol: http2");
    // Forty times what the gateway does not keep itself are five times what fits
    // through a window of 1 MiB.
    let body = vec![b'x'; 200 << 10];
    let slow = [(); 40].map(|()| takes_nothing(&gateway, &body));
    let begun = Instant::now();
    for _ in 0..8 {
        // Each comes to one of the workers.
        assert_eq!(gateway.client().get("/", &[]).json()["method"], "GET");
    }
    // The slow are let go after 30 s.
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(upstream.connections() <= 2, "{}", upstream.connections());
    drop(slow);
}

#[test]
fn small_messages_that_wait_for_one_client_end_nobody_elses_connection() {
    let service = Scripted::start(|wire| {
        let mut frames = Frames::of(wire);
        while let Some(next) = frames.next() {
            if next.kind != HEADERS {
                continue;
            }
            // `:status` 200, and whether it is `:method` POST (RFC 7541, appendix A).
            frames.send(HEADERS, END_HEADERS, next.stream, b"\x88");
            if next.payload[0] == 0x83 {
                for _ in 0..4_000 {
                    frames.send(DATA, 0, next.stream, &[b'x'; 60]);
                }
            } else {
                frames.send(DATA, END_STREAM, next.stream, b"");
            }
        }
    });
    let route = one_route(&[service.address], "protocol: http2", "");
    let gateway = Gateway::start(&[], &route);
    let slow = [(); 8].map(|()| takes_nothing(&gateway, b""));
    for _ in 0..8 {
        assert_eq!(gateway.client().get("/", &[]).status, 200);
    }
    assert!(service.connections() <= 2, "{}", service.connections());
    drop(slow);
}

#[test]
fn an_upstream_that_comes_back_is_found_again() {
    let upstream = Upstream::start_http2("a");
    let gateway = start(&upstream, "protocol: http2");
    assert_eq!(gateway.get("/").status, 200);
    let address = upstream.address;
    drop(upstream);
    eventually("it is gone", || gateway.get("/").status == 502);
    let _again = Upstream::start_http2_on("a", address);
    eventually("it is back", || gateway.get("/").status == 200);
}

/// A service that takes no notice of every other request, and says so.
fn reluctant(refusal: u8) -> Scripted {
    let asked = AtomicUsize::new(0);
    Scripted::start(move |wire| {
        let mut frames = Frames::of(wire);
        while let Some(next) = frames.next() {
            if next.kind != HEADERS {
                continue;
            }
            match (asked.fetch_add(1, Ordering::SeqCst) % 2, refusal) {
                // The last one that was looked at is none.
                (0, GOAWAY) => frames.send(GOAWAY, 0, 0, &[0; 8]),
                (0, _) => frames.send(RST_STREAM, 0, next.stream, &[0, 0, 0, REFUSED_STREAM]),
                // `:status` 204 (RFC 7541, appendix A).
                _ => frames.send(HEADERS, END_HEADERS | END_STREAM, next.stream, b"\x89"),
            }
        }
    })
}

#[test]
fn what_a_service_says_it_has_not_looked_at_is_sent_again() {
    for refusal in [GOAWAY, RST_STREAM] {
        let service = reluctant(refusal);
        let route = one_route(&[service.address], "protocol: http2", "");
        let gateway = Gateway::start(&[], &route);
        let mut client = gateway.client();
        // It has done nothing, so the method does not matter.
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(client.send(method, "/", &[], "").status, 204, "{method}");
        }
        assert_eq!(gateway.metric("portcullis_retries_total"), None);
        // A body is gone with the request.
        assert_eq!(client.send("PUT", "/", &[], "a body").status, 502);
    }
}

#[test]
fn a_client_that_leaves_takes_only_its_own_request_with_it() {
    let upstream = Upstream::start_http2("a");
    upstream.delay(Duration::from_millis(600));
    let gateway = start(&upstream, "protocol: http2");
    thread::scope(|scope| {
        let stays = scope.spawn(|| gateway.get("/stays").status);
        eventually("it is upstream", || upstream.hits() == 1);
        let mut leaves = crate::support::Wire::connect(gateway.address);
        leaves.send("GET /leaves HTTP/1.1\r\nhost: a\r\n\r\n");
        eventually("it is upstream, too", || upstream.hits() == 2);
        drop(leaves);
        assert_eq!(stays.join().expect("no panic"), 200);
    });
}

#[test]
fn health_is_asked_for_in_http2() {
    let upstream = Upstream::start_http2("a");
    let check = "health_check: { path: /health, interval: 50ms, unhealthy_after: 1 }";
    let gateway = start(&upstream, &format!("protocol: http2\n{check}"));
    let series = "portcullis_instance_healthy";
    let healthy = |expected: &str| {
        let text = gateway.admin("/metrics").text();
        let mut lines = text.lines().filter(|line| line.starts_with(series));
        lines.any(|line| line.ends_with(expected))
    };
    upstream.healthy(false);
    eventually("it is taken out", || healthy(" 0"));
    upstream.healthy(true);
    eventually("it is taken back", || healthy(" 1"));
}

#[test]
fn without_tls_nothing_can_be_agreed_on() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nservices:\n  s: { protocol: auto }\n";
    let output = check(&[], config, &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("services.s.protocol: without TLS"),
        "{error}"
    );
}
