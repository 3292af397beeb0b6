//! Requests that change to another protocol, over HTTP/1.1: what passes, and what is
//! refused.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConnection, StreamOwned};

use crate::support::{
    Authority, Gateway, Scripted, Upstream, Wire, check, eventually, hostile, one_route,
    start_with_files,
    websocket::{
        CLOSE, KEY, PROOF, TEXT, accepted, echo, exchange, figure, frame, handshake, open, receive,
        start,
    },
};

const UPGRADES: &str = "upgrades: [websocket]";

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
    assert_eq!(figure(&gateway, "tunnels{route=\"r\"} "), 1.0);
    assert_eq!(figure(&gateway, "requests_in_flight{route=\"r\"} "), 1.0);
    let way = |direction: &str| {
        let series = format!("tunnel_bytes_total{{route=\"r\",direction=\"{direction}\"}} ");
        figure(&gateway, &series)
    };
    eventually("bytes are counted while it is open", || {
        way("in") > f64::from(1 << 20) && way("out") > f64::from(1 << 20)
    });
    wire.send(frame(CLOSE, b"", Some([0; 4])));
    assert_eq!(receive(&mut wire), Some((CLOSE, Vec::new())));
    assert_eq!(wire.rest(), b"");
    drop(wire);
    eventually("it is over", || {
        figure(&gateway, "tunnels{route=\"r\"} ") == 0.0
    });
    assert_eq!(figure(&gateway, "requests_in_flight{route=\"r\"} "), 0.0);
    assert_eq!(figure(&gateway, "tunnels_total{route=\"r\"} "), 1.0);
    let series = "requests_total{route=\"r\",status=\"101\"} ";
    assert_eq!(figure(&gateway, series), 1.0);
    // Its connections are gone, on both sides: nothing of it is kept.
    eventually("its connection is closed", || {
        figure(&gateway, "upstream_connections ") == 0.0
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
    assert_eq!(figure(&gateway, "tunnels_total{route=\"r\"} "), 0.0);
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
        figure(
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
fn a_route_whose_service_has_no_such_upgrade_is_a_mistake() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nservices:\n  s: { protocol: http2 }\n\
                  routes: [{ name: r, service: s, upgrades: [websocket, other/2] }]\n";
    let output = check(&[], config, &[]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("which has no `other/2`"), "{error}");
}
