//! Requests that change to another protocol, over HTTP/1.1: what passes, when,
//! and how it ends.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustls::{ServerConnection, StreamOwned};

use crate::support::{
    Authority, Gateway, Scripted, Upstream, Wire, check, eventually, hostile, one_route,
    start_with_files,
    websocket::{BINARY, CLOSE, KEY, PROOF, TEXT, accepted, echo, frame, handshake, receive},
};

const UPGRADES: &str = "upgrades: [websocket]";

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn start(upstream: &Scripted, more: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", UPGRADES);
    Gateway::start(&[], &format!("{more}{route}"))
}

/// A client whose request was taken.
#[track_caller]
fn open(gateway: &Gateway) -> Wire {
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    assert_eq!(wire.reply_head().status, 101);
    wire
}

#[track_caller]
fn exchange(wire: &mut Wire, message: &[u8]) {
    wire.send(frame(BINARY, message, Some([1, 2, 3, 4])));
    let (opcode, back) = receive(wire).expect("a message");
    assert!((opcode, &*back) == (BINARY, message), "another message");
}

fn metric(gateway: &Gateway, name: &str) -> f64 {
    let series = format!("portcullis_{name}");
    gateway.metric(&series).unwrap_or(0.0)
}

#[test]
fn a_websocket_passes_both_ways_and_is_counted() {
    let heads = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        // The first message comes right behind the head.
        let mut first = accepted(&head).into_bytes();
        *noted.lock().expect("a lock") = head;
        first.extend(frame(TEXT, b"welcome", None));
        wire.send(first);
        while let Some((opcode, message)) = receive(&mut wire) {
            wire.send(frame(opcode, &message, None));
            if opcode == CLOSE {
                return;
            }
        }
    });
    let gateway = start(&upstream, "");
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake(
        "/chat?room=1",
        "Sec-WebSocket-Protocol: chat\r\nOrigin: http://a\r\n",
    ));
    let reply = wire.reply_head();
    assert_eq!(reply.status, 101);
    assert_eq!(reply.header("connection"), "upgrade");
    assert_eq!(reply.header("upgrade"), "websocket");
    assert_eq!(reply.header("sec-websocket-accept"), PROOF);
    assert_eq!(reply.header("sec-websocket-protocol"), "chat");
    assert_eq!(receive(&mut wire), Some((TEXT, b"welcome".to_vec())));
    let head = heads.lock().expect("a lock").clone();
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    for line in [
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-version: 13\r\n",
        &format!("sec-websocket-key: {KEY}\r\n"),
        "sec-websocket-protocol: chat\r\n",
        "origin: http://a\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
    }
    for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        exchange(&mut wire, &vec![7; length]);
    }
    assert_eq!(metric(&gateway, "tunnels{route=\"r\"} "), 1.0);
    assert_eq!(metric(&gateway, "requests_in_flight{route=\"r\"} "), 1.0);
    let way = |direction: &str| {
        let series = format!("tunnel_bytes_total{{route=\"r\",direction=\"{direction}\"}} ");
        metric(&gateway, &series)
    };
    eventually("bytes are counted while it is open", || {
        way("in") > f64::from(1 << 20) && way("out") > f64::from(1 << 20)
    });
    wire.send(frame(CLOSE, b"", Some([0; 4])));
    assert_eq!(receive(&mut wire), Some((CLOSE, Vec::new())));
    assert_eq!(wire.rest(), b"");
    drop(wire);
    eventually("it is over", || {
        metric(&gateway, "tunnels{route=\"r\"} ") == 0.0
    });
    assert_eq!(metric(&gateway, "requests_in_flight{route=\"r\"} "), 0.0);
    assert_eq!(metric(&gateway, "tunnels_total{route=\"r\"} "), 1.0);
    let series = "requests_total{route=\"r\",status=\"101\"} ";
    assert_eq!(metric(&gateway, series), 1.0);
    // Its connections are gone, on both sides: nothing of it is kept.
    eventually("its connection is closed", || {
        metric(&gateway, "upstream_connections ") == 0.0
    });
}

#[test]
fn a_route_that_is_not_asked_to_lets_no_upgrade_pass() {
    for (route, field) in [
        ("", "websocket"),
        (UPGRADES, "h2c"),
        ("upgrades: [other/2]", "websocket"),
    ] {
        let upstream = Upstream::start("a");
        let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", route));
        let mut wire = Wire::connect(gateway.address);
        let request =
            handshake("/a", "").replace("Upgrade: websocket", &format!("Upgrade: {field}"));
        // On one connection, as clients do that offer `h2c` with each request.
        for _ in 0..3 {
            wire.send(&request);
            let json = wire.reply().json();
            assert!(json["headers"].get("upgrade").is_none(), "{json}");
            assert!(json["headers"].get("connection").is_none(), "{json}");
            assert_eq!(json["headers"]["sec-websocket-key"], KEY);
        }
    }
}

#[test]
fn what_is_no_request_to_change_is_like_any_other() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", UPGRADES));
    let mut wire = Wire::connect(gateway.address);
    for request in [
        // Not asked for on this connection.
        "GET /a HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\r\n",
        // With a body, behind which nobody could say what begins.
        "POST /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\nhi",
        "POST /a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\n\r\n",
        // HTTP/1.0 does not know the field (RFC 9110 §7.8).
        "GET /a HTTP/1.0\r\nhost: a\r\nconnection: upgrade, keep-alive\r\nupgrade: websocket\r\n\r\n",
    ] {
        wire.send(request);
        let reply = wire.reply();
        assert_eq!(reply.status, 200, "{request}");
        let json = reply.json();
        assert!(
            json["headers"].get("upgrade").is_none(),
            "{request}: {json}"
        );
        let body = if request.starts_with("POST") {
            "hi"
        } else {
            ""
        };
        assert_eq!(json["body"], body, "{request}");
    }
}

/// Case 9.
#[test]
fn nothing_that_comes_behind_the_request_goes_upstream_before_101() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        if !head.contains("upgrade") {
            return wire.send(OK);
        }
        let silent = wire.is_silent_for(Duration::from_millis(300));
        go_on(&gone);
        assert!(silent, "bytes came before they were asked for");
        wire.send(accepted(&head));
        let message = receive(&mut wire).expect("a message");
        wire.send(frame(message.0, &message.1, None));
    });
    let gateway = start(&upstream, "");
    // What a browser never sends so early; also such that looks like a request.
    let plain = "GET /plain HTTP/1.1\r\nhost: a\r\n\r\n";
    for (before, message) in [
        ("", &b"early\r\n\r\n\0"[..]),
        ("", plain.as_bytes()),
        (plain, b"early\r\n\r\n\0"),
        (plain, plain.as_bytes()),
    ] {
        let mut wire = Wire::connect(gateway.address);
        let mut bytes = [before, &handshake("/chat", "")].concat().into_bytes();
        bytes.extend(frame(TEXT, message, Some([0; 4])));
        wire.send(bytes);
        if !before.is_empty() {
            assert_eq!(wire.reply().status, 200);
        }
        go.send(()).expect("the upstream waits");
        assert_eq!(wire.reply_head().status, 101);
        assert_eq!(receive(&mut wire), Some((TEXT, message.to_vec())));
        assert_eq!(wire.rest(), b"");
    }
    assert_eq!(upstream.connections(), 6);
}

fn go_on(gone: &Mutex<mpsc::Receiver<()>>) {
    gone.lock()
        .expect("a lock")
        .recv()
        .expect("the test says when");
}

/// Case 9.
#[test]
fn what_comes_behind_a_request_that_is_answered_200_is_the_next_request() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            noted.lock().expect("a lock").push(head);
            wire.send(OK);
        }
    });
    let gateway = start(&upstream, "");
    let next = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";
    // The first of several, and with one before it that has nothing to do with it.
    for first in ["", next] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("{first}{}{next}", handshake("/chat", "")));
        let replies = if first.is_empty() { 2 } else { 3 };
        for _ in 0..replies {
            let reply = wire.reply();
            assert_eq!((reply.status.as_u16(), &*reply.text()), (200, "ok"));
        }
        wire.send(next);
        assert_eq!(
            wire.reply().status,
            200,
            "it is a connection like any other"
        );
        let heads = std::mem::take(&mut *heads.lock().expect("a lock"));
        assert_eq!(heads.len(), replies + 1, "{heads:?}");
        let asking = heads.iter().filter(|head| head.contains("upgrade")).count();
        assert_eq!(asking, 1, "{heads:?}");
    }
    // What is no request is refused, and reaches nobody.
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        [
            handshake("/chat", "").as_bytes(),
            b"\x81\x05hello\n\r\n\r\n",
        ]
        .concat(),
    );
    assert_eq!(wire.reply().status, 200);
    assert_eq!(wire.reply().status, 400);
    wire.rest();
    assert_eq!(heads.lock().expect("a lock").len(), 1);
    assert_eq!(gateway.get("/healthy").text(), "ok");
}

#[test]
fn a_refusal_passes_like_any_response() {
    let upstream = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\nx-why: origin\r\n\r\nnot me");
    });
    let gateway = start(&upstream, "");
    let mut wire = Wire::connect(gateway.address);
    for number in 1..=3 {
        wire.send(handshake("/chat", ""));
        let reply = wire.reply();
        assert_eq!(reply.status, 403);
        assert_eq!(
            (&*reply.text(), reply.header("x-why")),
            ("not me", "origin")
        );
        assert_eq!(upstream.connections(), number, "none is kept");
    }
    assert_eq!(metric(&gateway, "tunnels_total{route=\"r\"} "), 0.0);
}

#[test]
fn a_change_to_what_nobody_asked_for_is_refused() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket, h2c\r\nconnection: upgrade\r\n\r\n",
    ] {
        let upstream = Scripted::start(move |mut wire| {
            wire.head();
            wire.send(answer);
            wire.rest();
        });
        let gateway = start(&upstream, "");
        let mut wire = Wire::connect(gateway.address);
        wire.send(handshake("/chat", ""));
        assert_eq!(wire.reply().status, 502, "{answer}");
    }
}

#[test]
fn whoever_reads_slowly_stops_the_other_side() {
    const LENGTH: usize = 64 << 20;
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        go_on(&gone);
        assert!(wire.take(LENGTH).iter().all(|byte| *byte == 1));
        let bytes = vec![2; LENGTH];
        let sent = wire.send_until_stalled(&bytes, Duration::from_millis(500));
        assert!(sent < LENGTH, "the gateway took all that nobody reads");
        wire.send(&bytes[sent..]);
    });
    let gateway = start(&upstream, "");
    let before = metric(&gateway, "tunnels ");
    assert_eq!(before, 0.0);
    let resident = || {
        gateway
            .metric("process_resident_memory_bytes ")
            .expect("a figure")
    };
    let before = resident();
    let mut wire = open(&gateway);
    let bytes = vec![1; LENGTH];
    let sent = wire.send_until_stalled(&bytes, Duration::from_millis(500));
    assert!(sent < LENGTH, "the gateway took all that nobody reads");
    go.send(()).expect("the upstream waits");
    wire.send(&bytes[sent..]);
    let moved = || {
        metric(
            &gateway,
            "tunnel_bytes_total{route=\"r\",direction=\"out\"} ",
        )
    };
    eventually("it comes back", || moved() > 0.0);
    let grown = resident() - before;
    assert!(grown < f64::from(4 << 20), "{grown} bytes more");
    assert!(wire.take(LENGTH).iter().all(|byte| *byte == 2));
    assert_eq!(wire.rest(), b"");
}

#[test]
fn each_side_ends_by_itself() {
    let upstream = Scripted::start(|mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        // To the client's end, and then still has something to say.
        let sent = wire.rest();
        wire.send(sent);
        wire.send(" and bye");
    });
    let gateway = start(&upstream, "");
    let mut wire = open(&gateway);
    wire.send("hello");
    wire.finish();
    assert_eq!(wire.rest(), b"hello and bye");
    eventually("it is over", || {
        metric(&gateway, "tunnels{route=\"r\"} ") == 0.0
    });

    let (told, hear) = mpsc::channel();
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        wire.send("hello");
        wire.finish();
        told.send(wire.rest()).expect("the test listens");
    });
    let gateway = start(&upstream, "");
    let mut wire = open(&gateway);
    assert_eq!(wire.rest(), b"hello");
    wire.send("bye");
    drop(wire);
    let patience = Duration::from_secs(10);
    assert_eq!(hear.recv_timeout(patience), Ok(b"bye".to_vec()));
}

#[test]
fn who_says_nothing_for_too_long_is_let_go() {
    let upstream = Scripted::start(echo);
    let gateway = start(&upstream, "limits: { tunnel_idle_timeout: 400ms }\n");
    let mut wire = open(&gateway);
    // Several times as long as may be, but never without a byte for so long.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1_200) {
        exchange(&mut wire, b"still here");
        assert!(wire.is_silent_for(Duration::from_millis(100)));
    }
    let silent = Instant::now();
    assert_eq!(wire.rest(), b"", "closed, without a word");
    let elapsed = silent.elapsed();
    assert!(elapsed >= Duration::from_millis(250), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    eventually("the service is let go, too", || {
        metric(&gateway, "upstream_connections ") == 0.0
    });
}

#[test]
fn a_service_over_tls_is_spoken_to_in_http1() {
    let authority = Authority::new();
    let server = authority.sign(&["127.0.0.1"]);
    for (protocol, offered) in [
        ("auto", &["h2", "http/1.1"][..]),
        ("http1", &[]),
        ("auto", &[]),
    ] {
        let config = server.server_speaking(offered);
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("a bound socket");
        let served = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            let session = ServerConnection::new(config).expect("a session");
            let mut stream = StreamOwned::new(session, stream);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a head");
                head.extend(byte);
            }
            let head = String::from_utf8(head).expect("text");
            stream.write_all(accepted(&head).as_bytes()).expect("room");
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).expect("bytes");
            stream.write_all(&hello).expect("room");
            let mut end = Vec::new();
            stream.read_to_end(&mut end).expect("a proper end");
            stream.conn.send_close_notify();
            stream.flush().expect("room");
        });
        let ca = authority.ca().display().to_string();
        let service = format!("protocol: {protocol}\ntls: {{ ca: \"{ca}\" }}");
        let gateway = Gateway::start(&[], &one_route(&[address], &service, UPGRADES));
        let mut wire = open(&gateway);
        wire.send("hello");
        assert_eq!(wire.take(5), b"hello");
        wire.finish();
        assert_eq!(wire.rest(), b"");
        served.join().expect("the service is content");
    }
}

#[test]
fn filters_see_the_head_and_the_end_and_may_refuse() {
    let upstream = Scripted::start(echo);
    let keys = "pipeline: [{ plugin: key-auth, config: { consumers: [{ name: a, key: \"a-long-enough-key\" }] } }]";
    let route = one_route(&[upstream.address], "", &format!("{UPGRADES}\n{keys}"));
    let gateway = Gateway::start(&["key-auth"], &route);
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    assert_eq!(wire.reply().status, 401);
    assert_eq!(upstream.connections(), 0);
    wire.send(handshake("/chat", "x-api-key: a-long-enough-key\r\n"));
    assert_eq!(wire.reply_head().status, 101);
    exchange(&mut wire, b"hello");

    let step = "pipeline: [{ plugin: hostile, config: \"every:stamp\" }]";
    let route = one_route(&[upstream.address], "", &format!("{UPGRADES}\n{step}"));
    let gateway = start_with_files(&[("hostile", hostile())], "{}", &route);
    let hooks = |hook: &str| {
        metric(
            &gateway,
            &format!("plugin_stamps_total{{plugin=\"hostile\",hook=\"{hook}\"}}"),
        )
    };
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    let reply = wire.reply_head();
    assert_eq!(reply.status, 101);
    assert!(
        !reply.header("x-stamp").is_empty(),
        "response hooks see the head"
    );
    exchange(&mut wire, b"hello");
    assert_eq!((hooks("request"), hooks("response")), (1.0, 1.0));
    assert_eq!(hooks("completion"), 0.0, "it goes on");
    drop(wire);
    eventually("the end is told", || hooks("completion") == 1.0);
    for hook in ["request_body", "response_body"] {
        assert_eq!(hooks(hook), 0.0, "{hook}: there is no body");
    }
}

#[test]
fn an_instance_that_is_not_there_is_passed_over() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("an address");
    let gone = nobody.local_addr().expect("a bound socket");
    drop(nobody);
    let upstream = Scripted::start(echo);
    let retries = format!("{UPGRADES}\nretries: {{ attempts: 2, on: [connect_failure] }}");
    let route = one_route(&[gone, upstream.address], "", &retries);
    let gateway = Gateway::start(&[], &route);
    for _ in 0..4 {
        exchange(&mut open(&gateway), b"hello");
    }
}

#[test]
fn a_drain_lets_tunnels_go_on_until_its_time_is_over() {
    for (limit, leaves) in [("drain_timeout: 60s", true), ("drain_timeout: 1s", false)] {
        let upstream = Scripted::start(echo);
        let mut gateway = start(&upstream, &format!("limits: {{ {limit} }}\n"));
        let mut wire = open(&gateway);
        exchange(&mut wire, b"before");
        gateway.terminate();
        eventually("it drains", || gateway.admin("/ready").status == 503);
        exchange(&mut wire, b"meanwhile");
        if leaves {
            drop(wire);
        } else {
            assert_eq!(wire.rest(), b"", "cut off at the end of its time");
        }
        eventually("the gateway ends", || gateway.exit_code() == Some(0));
    }
}

#[test]
fn a_route_whose_service_has_no_such_upgrade_is_a_mistake() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nservices:\n  s: { protocol: http2 }\n\
                  routes: [{ name: r, service: s, upgrades: [websocket, other/2] }]\n";
    let output = check(&[], config, &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("which has no `other/2`"), "{error}");
}
