//! WebSockets over HTTP/2 (RFC 8441): as a service sees them, and the client.

use std::sync::{Arc, Mutex};

use crate::support::{
    Gateway, Http2, Scripted, Upstream, eventually,
    frames::{END_HEADERS, Frames, HEADERS, RST_STREAM, SETTINGS, fields},
    one_route,
    websocket::{accepted, echo, frame},
};

/// SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §9.1).
const ENABLE_CONNECT: u16 = 8;

fn start(upstream: &Scripted, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "upgrades: [websocket]");
    Gateway::start(&[], &format!("{limits}{route}"))
}

/// A service that notes the head it gets, and answers it so.
fn answering(answer: fn(&str) -> String) -> (Scripted, Arc<Mutex<String>>) {
    let heads = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        wire.send(answer(&head));
        *noted.lock().expect("a lock") = head;
        while let Some(byte) = wire.byte() {
            wire.try_send([byte]);
        }
    });
    (upstream, heads)
}

#[test]
fn a_websocket_over_http2_is_one_over_http1_to_the_service() {
    let (upstream, heads) = answering(accepted);
    let gateway = start(&upstream, "");
    let client = Http2::connect(gateway.address, "a.example:80");
    let own = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
        ("origin", "http://a"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let (reply, stream) = client.change("/chat?room=1", "websocket", &own);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("sec-websocket-protocol"), "chat");
    for gone in [
        "sec-websocket-accept",
        "upgrade",
        "connection",
        "content-length",
    ] {
        assert!(!reply.headers.contains_key(gone), "{gone}");
    }
    let mut stream = stream.expect("a stream");
    stream.send(b"hello");
    assert_eq!(stream.take(5), b"hello");
    let head = heads.lock().expect("a lock").clone();
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    for line in [
        "\r\nhost: a.example:80\r\n",
        "connection: upgrade\r\n",
        "upgrade: websocket\r\n",
        "sec-websocket-key: ",
        "sec-websocket-version: 13\r\n",
        "sec-websocket-protocol: chat\r\n",
        "origin: http://a\r\n",
        "cookie: a=1; b=2\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
    }
    let series = "portcullis_tunnels{route=\"r\"} ";
    assert_eq!(gateway.metric(series), Some(1.0));
    // Other requests of the connection go on beside it.
    assert_eq!(
        client
            .send("TRACE", "/", &[], "")
            .expect("a reply")
            .reply
            .status,
        501
    );
    stream.finish();
    assert_eq!(stream.rest(), b"");
    eventually("it is over", || gateway.metric(series) == Some(0.0));
    let series = "portcullis_requests_total{route=\"r\",status=\"101\"} ";
    assert_eq!(gateway.metric(series), Some(1.0));
}

#[test]
fn large_messages_pass_and_each_stream_ends_by_itself() {
    let upstream = Scripted::start(echo);
    // A connection whose only stream is a tunnel is not idle.
    let limits = "limits: { http2: { idle_timeout: 100ms }, tunnel_idle_timeout: 10s }\n";
    let gateway = start(&upstream, limits);
    let client = Http2::connect(gateway.address, "a");
    let mut streams: Vec<_> = (0..3)
        .map(|_| client.change("/", "websocket", &[]).1.expect("a stream"))
        .collect();
    let message = frame(2, &vec![7; 1 << 20], Some([1, 2, 3, 4]));
    let back = frame(2, &vec![7; 1 << 20], None);
    for stream in &mut streams {
        for _ in 0..3 {
            stream.send(&message);
            assert!(stream.take(back.len()) == back, "another message");
        }
    }
    drop(streams.remove(0));
    streams[0].finish();
    assert_eq!(streams[0].rest(), b"");
    streams[1].send(&message);
    assert!(streams[1].take(back.len()) == back, "another message");
    drop(client);
    drop(streams);
    eventually("all are over", || {
        gateway.metric("portcullis_tunnels{route=\"r\"} ") == Some(0.0)
            && gateway.metric("portcullis_upstream_connections ") == Some(0.0)
    });
}

#[test]
fn who_says_nothing_for_too_long_is_let_go() {
    let upstream = Scripted::start(echo);
    let gateway = start(&upstream, "limits: { tunnel_idle_timeout: 300ms }\n");
    let client = Http2::connect(gateway.address, "a");
    let (_, stream) = client.change("/", "websocket", &[]);
    assert_eq!(stream.expect("a stream").rest(), b"");
    eventually("the service is let go, too", || {
        gateway.metric("portcullis_upstream_connections ") == Some(0.0)
    });
}

#[test]
fn what_is_no_websocket_to_the_service_is_none_to_the_client() {
    type Answer = fn(&str) -> String;
    let answers: [(Answer, u16); 4] = [
        (
            |_| "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno".into(),
            403,
        ),
        // It has not understood, and a 2xx would be the beginning of a tunnel.
        (
            |_| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into(),
            502,
        ),
        (|head| accepted(head).replace("Accept: ", "Accept: x"), 502),
        (
            |head| accepted(head).replace("Upgrade: websocket", "Upgrade: h2c"),
            502,
        ),
    ];
    for (answer, status) in answers {
        let (upstream, _) = answering(answer);
        let gateway = start(&upstream, "");
        let client = Http2::connect(gateway.address, "a");
        let (reply, stream) = client.change("/", "websocket", &[]);
        assert_eq!(reply.status, status);
        assert!(stream.is_none(), "{status}");
        let body = if status == 403 { "no" } else { "malformed" };
        assert!(reply.text().contains(body), "{}", reply.text());
    }
}

#[test]
fn a_connect_that_is_none_of_ours_reaches_nobody() {
    let upstream = Upstream::start("a");
    let route = one_route(&[upstream.address], "", "upgrades: [websocket]");
    let other = "- { name: other, match: { path: /other }, service: s }\n";
    let gateway = Gateway::start(&[], &format!("{route}  {other}"));
    let client = Http2::connect(gateway.address, "a");
    for (path, protocol) in [
        ("/", "connect-udp"),
        ("/", "WEBSOCKET"),
        ("/other", "websocket"),
    ] {
        let (reply, stream) = client.change(path, protocol, &[]);
        assert_eq!(reply.status, 501, "{path} {protocol}");
        assert!(reply.text().contains("does not take this protocol"));
        assert!(stream.is_none());
    }
    // A plain one (RFC 9113 §8.5).
    let mut frames = Frames::connect(gateway.address);
    let plain = [(":method", "CONNECT"), (":authority", "a:80")];
    frames.send(HEADERS, END_HEADERS, 1, &fields(&plain));
    assert!(frames.next_of(HEADERS).is_some(), "an answer");
    assert_eq!(upstream.hits(), 0);
    let series = "portcullis_requests_total{route=\"\",status=\"501\"} ";
    assert_eq!(gateway.metric(series), Some(4.0));
    assert_eq!(
        client
            .send("GET", "/", &[], "")
            .expect("a reply")
            .reply
            .status,
        200
    );
}

#[test]
fn clients_are_told_where_any_route_has_upgrades() {
    let upstream = Upstream::start("a");
    for (route, told) in [("upgrades: [websocket]", true), ("", false)] {
        let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", route));
        let mut frames = Frames::connect(gateway.address);
        let settings = frames.next_of(SETTINGS).expect("settings").settings();
        assert_eq!(
            settings.contains(&(ENABLE_CONNECT, 1)),
            told,
            "{settings:?}"
        );
        if !told {
            let head = [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a"),
            ];
            frames.send(HEADERS, END_HEADERS, 1, &fields(&head));
            assert!(
                frames.next_of(RST_STREAM).is_some(),
                "a mistake of the client's"
            );
        }
    }
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn a_drain_lets_streams_go_on_until_its_time_is_over() {
    let upstream = Scripted::start(echo);
    let mut gateway = start(&upstream, "limits: { drain_timeout: 1s }\n");
    let client = Http2::connect(gateway.address, "a");
    let (_, stream) = client.change("/", "websocket", &[]);
    let mut stream = stream.expect("a stream");
    gateway.terminate();
    eventually("it drains", || gateway.admin("/ready").status == 503);
    stream.send(&frame(1, b"still", Some([0; 4])));
    assert_eq!(stream.take(7), frame(1, b"still", None));
    assert_eq!(stream.rest(), b"", "cut off at the end of its time");
    eventually("the gateway ends", || gateway.exit_code() == Some(0));
}
