//! WebSockets to services that speak HTTP/2 (RFC 8441), from clients of both versions.

use std::time::Duration;

use http::Method;

use crate::support::{
    Authority, Gateway, Http2, Tunnels, Upstream, Wire, eventually, one_route,
    websocket::{PROOF, handshake},
};

/// More than fits into all windows on the way.
const MESSAGE: usize = 3 << 20;

fn start(upstream: &Tunnels, service: &str) -> Gateway {
    let service = format!("protocol: http2\n{service}");
    let route = one_route(&[upstream.address], &service, "upgrades: [websocket]");
    Gateway::start(&[], &route)
}

fn tunnels(gateway: &Gateway) -> Option<f64> {
    gateway.metric("portcullis_tunnels{route=\"r\"} ")
}

/// What the service is asked, whoever asks.
fn assert_asked(upstream: &Tunnels, count: usize) {
    let asked = upstream.asked();
    assert_eq!(asked.len(), count);
    let head = asked.last().expect("a head");
    assert_eq!(head.method, Method::CONNECT);
    assert_eq!(head.protocol.as_deref(), Some("websocket"));
    assert!(head.uri.ends_with("://a/chat?room=1"), "{}", head.uri);
    assert_eq!(head.headers["sec-websocket-protocol"], "chat");
    assert_eq!(head.headers["sec-websocket-version"], "13");
    assert_eq!(head.headers["x-forwarded-for"], "127.0.0.1");
    for gone in ["upgrade", "connection", "sec-websocket-key", "host"] {
        assert!(!head.headers.contains_key(gone), "{gone}");
    }
}

fn by_http1(gateway: &Gateway) -> Wire {
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake(
        "/chat?room=1",
        "Sec-WebSocket-Protocol: chat\r\n",
    ));
    let reply = wire.reply_head();
    assert_eq!(reply.status, 101);
    assert_eq!(reply.header("upgrade"), "websocket");
    assert_eq!(reply.header("connection"), "upgrade");
    assert_eq!(reply.header("sec-websocket-accept"), PROOF);
    assert_eq!(reply.header("sec-websocket-protocol"), "chat");
    wire
}

const FIELDS: [(&str, &str); 2] = [
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat"),
];

#[test]
fn a_websocket_goes_to_a_service_of_http2() {
    let authority = Authority::new();
    let own = authority.sign(&["127.0.0.1"]);
    let secured = Tunnels::start(Some(own.server_speaking(&["h2"])), true);
    let tls = format!("tls: {{ ca: \"{}\" }}", authority.ca().display());
    for (upstream, service) in [(Tunnels::start(None, true), ""), (secured, tls.as_str())] {
        let gateway = start(&upstream, service);
        let mut wire = by_http1(&gateway);
        assert_asked(&upstream, 1);
        wire.send(b"hello");
        assert_eq!(wire.take(5), b"hello");
        let http2 = Http2::connect(gateway.address, "a");
        let (reply, stream) = http2.change("/chat?room=1", "websocket", &FIELDS);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("sec-websocket-protocol"), "chat");
        assert!(!reply.headers.contains_key("sec-websocket-accept"));
        assert_asked(&upstream, 2);
        assert_eq!(tunnels(&gateway), Some(2.0));
        let mut stream = stream.expect("a stream");
        for part in [&[7; 1000][..], b"bye"] {
            stream.send(part);
            assert_eq!(stream.take(part.len()), part);
        }
        // Each side ends by itself, with all that it has sent.
        stream.finish();
        assert_eq!(stream.rest(), b"");
        wire.send(b"the end");
        wire.finish();
        assert_eq!(wire.rest(), b"the end");
        eventually("both are over", || {
            tunnels(&gateway) == Some(0.0)
                && gateway.metric("portcullis_upstream_connections ") == Some(0.0)
        });
    }
}

#[test]
fn who_reads_slowly_stops_the_other_side_and_nobody_else() {
    let upstream = Tunnels::start(None, true);
    let gateway = start(&upstream, "");
    let mut slow = by_http1(&gateway);
    let message = vec![1; 64 << 20];
    let sent = slow.send_until_stalled(&message, Duration::from_millis(500));
    assert!(sent < message.len(), "{sent} bytes are held");
    // All requests of a service but tunnels share connections.
    assert_eq!(gateway.get("/status/204").status, 204);
    let mut wire = by_http1(&gateway);
    wire.send(vec![2; MESSAGE / 100]);
    assert_eq!(wire.take(MESSAGE / 100), vec![2; MESSAGE / 100]);
    assert!(slow.take(sent) == message[..sent], "other bytes");
}

#[test]
fn a_service_without_them_is_not_asked() {
    let plain = Tunnels::start(None, false);
    let gateway = start(&plain, "");
    let assert_said = |text: &str| {
        assert!(
            text.contains("the service takes no request that changes to this protocol"),
            "{text}"
        );
    };
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    let reply = wire.reply();
    assert_eq!(reply.status, 502);
    assert_said(&reply.text());
    let http2 = Http2::connect(gateway.address, "a");
    let (reply, stream) = http2.change("/chat", "websocket", &[]);
    assert_eq!(reply.status, 502);
    assert_said(&reply.text());
    assert!(stream.is_none());
    assert!(plain.asked().is_empty());
    assert_eq!(gateway.get("/status/204").status, 204, "others are served");
    eventually("the connections are let go", || {
        gateway.metric("portcullis_upstream_connections ") <= Some(2.0)
    });
}

#[test]
fn what_is_no_websocket_to_the_service_is_none_to_the_client() {
    let upstream = Tunnels::start(None, true);
    let gateway = start(&upstream, "");
    // A 2xx that is no 200 would be the beginning of a tunnel that nobody has.
    for (path, status) in [
        ("/status/403", 403),
        ("/status/302", 302),
        ("/status/204", 502),
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(handshake(path, ""));
        assert_eq!(wire.reply_head().status, status, "{path}");
        let http2 = Http2::connect(gateway.address, "a");
        let (reply, stream) = http2.change(path, "websocket", &[]);
        assert_eq!(reply.status, status, "{path}");
        assert!(stream.is_none());
    }
    // A handshake of HTTP/1.1 without its key could not be answered.
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /chat HTTP/1.1\r\nhost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(wire.reply().status, 502);
    // A server of HTTP/2 that is none: what it says first is no frame of settings.
    let other = Upstream::start("a");
    let route = one_route(&[other.address], "protocol: http2", "upgrades: [websocket]");
    let gateway = Gateway::start(&[], &route);
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    assert_eq!(wire.reply().status, 502);
}
