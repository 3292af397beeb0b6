//! Who the client is: what it says itself, and what proxies say that are trusted
//! or not.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Authority, Client, Gateway, Secure, Upstream, Wire, eventually, one_route};

fn start(upstream: &Upstream, head: &str, route: &str) -> Gateway {
    let config = format!("{head}{}", one_route(&[upstream.address], "", route));
    Gateway::start(&["rate-limit"], &config)
}

const CLAIMS: &[(&str, &str)] = &[
    ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example"),
    ("x-forwarded-port", "443"),
    ("x-real-ip", "6.6.6.6"),
    ("forwarded", "for=6.6.6.6"),
];

// Case 19.
#[test]
fn what_a_client_says_of_itself_is_replaced_unless_it_is_trusted() {
    let upstream = Upstream::start("a");
    for (trusted, address, scheme, host, port) in [
        ("", "127.0.0.1", "http", "a.example", None),
        (
            "trusted_proxies: [10.0.0.0/8]\n",
            "127.0.0.1",
            "http",
            "a.example",
            None,
        ),
        (
            "trusted_proxies: [127.0.0.0/8]\n",
            "192.0.2.1",
            "https",
            "shop.example",
            Some("443"),
        ),
        (
            "trusted_proxies: [127.0.0.1, 192.0.2.0/24]\n",
            "6.6.6.6",
            "https",
            "shop.example",
            Some("443"),
        ),
        (
            "trusted_proxies: [127.0.0.1]\nlisteners: [{ address: \"127.0.0.1:0\", trusted_proxies: [] }]\n",
            "127.0.0.1",
            "http",
            "a.example",
            None,
        ),
    ] {
        let gateway = start(&upstream, trusted, "");
        let claims = [&[("host", "a.example")], CLAIMS].concat();
        let json = Client::new(gateway.address).get("/", &claims).json();
        let seen = &json["headers"];
        assert_eq!(seen["x-forwarded-for"], address, "{trusted}");
        assert_eq!(seen["x-real-ip"], address, "{trusted}");
        assert_eq!(seen["x-forwarded-proto"], scheme, "{trusted}");
        assert_eq!(seen["x-forwarded-host"], host, "{trusted}");
        assert_eq!(seen["x-forwarded-port"].as_str(), port, "{trusted}");
        let forwarded = format!("for={address};host=\"{host}\";proto={scheme}");
        assert_eq!(seen["forwarded"], forwarded, "{trusted}");
    }
}

// Case 19: what filters are told is what goes upstream.
#[test]
fn clients_behind_a_trusted_proxy_are_limited_one_by_one() {
    let upstream = Upstream::start("a");
    let pipeline =
        "pipeline: [{ plugin: rate-limit, config: { requests: 1, per: 61m, key: client_ip } }]";
    let ask = |gateway: &Gateway, client: &str| {
        let reply = gateway.client().get("/", &[("x-forwarded-for", client)]);
        reply.status.as_u16()
    };
    let trusting = start(&upstream, "trusted_proxies: [127.0.0.1]\n", pipeline);
    let statuses = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "9.9.9.9, 192.0.2.2"]
        .map(|client| ask(&trusting, client));
    assert_eq!(statuses, [200, 200, 429, 429]);
    let not = start(&upstream, "", pipeline);
    assert_eq!([ask(&not, "192.0.2.1"), ask(&not, "192.0.2.2")], [200, 429]);
}

// Case 20.
#[test]
fn what_connection_names_takes_nothing_from_what_a_trusted_proxy_says() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "trusted_proxies: [127.0.0.1]\n", "");
    let fields = [
        ("connection", "close, X-Forwarded-For, X-Real-IP, Forwarded"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    let json = gateway.client().get("/", &fields).json();
    let seen = &json["headers"];
    assert_eq!(seen["x-forwarded-for"], "192.0.2.1");
    assert_eq!(
        seen["forwarded"],
        "for=192.0.2.1;host=\"a.example\";proto=http"
            .replace("a.example", seen["host"].as_str().unwrap_or_default())
    );
}

#[test]
fn whom_to_trust_changes_without_a_restart() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "", "");
    let seen = || {
        let json = gateway
            .client()
            .get("/", &[("x-forwarded-for", "192.0.2.1")])
            .json();
        json["headers"]["x-forwarded-for"].clone()
    };
    assert_eq!(seen(), "127.0.0.1");
    let route = one_route(&[upstream.address], "", "");
    gateway.write_config(&format!("trusted_proxies: [127.0.0.1]\n{route}"));
    eventually("it is applied", || seen() == "192.0.2.1");
    assert!(!gateway.log().contains("next start"), "{}", gateway.log());
}

/// A gateway that is told by the PROXY protocol for whom it is asked.
fn proxied(upstream: &Upstream, listener: &str, limits: &str) -> Gateway {
    let listener = format!("listeners: [{{ address: \"127.0.0.1:0\", {listener} }}]\n");
    start(upstream, &format!("{listener}{limits}"), "")
}

fn refused(gateway: &Gateway) -> f64 {
    let series = "portcullis_refused_total{reason=\"proxy_protocol\"}";
    let count = gateway.metric(series);
    count.expect("a series that is always there")
}

const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\x02\x07\x7f\0\0\x01\x12\x67\0\x50\x04\0\0";

#[test]
fn a_proxy_that_passes_bytes_on_says_for_whom() {
    let upstream = Upstream::start("a");
    let gateway = proxied(&upstream, "proxy_protocol: true", "");
    for (head, client) in [
        (
            &b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n"[..],
            "192.0.2.7",
        ),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (V2, "192.0.2.7"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1"),
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send([head, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"].concat());
        let json = wire.reply().json();
        assert_eq!(json["headers"]["x-forwarded-for"], client);
    }
    assert_eq!(refused(&gateway), 0.0);
}

#[test]
fn who_does_not_say_for_whom_is_closed_at_once_or_at_the_deadline() {
    let upstream = Upstream::start("a");
    let limits = "limits: { handshake_timeout: 300ms }\n";
    let gateway = proxied(&upstream, "proxy_protocol: [127.0.0.1]", limits);
    let begun = Instant::now();
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"PROXY TCP4 nowhere 127.0.0.1 4711 80\r\n",
        b"",
        b"PROXY TCP4 192.0",
        &V2[..20],
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(bytes);
        assert!(wire.rest().is_empty());
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(refused(&gateway), 5.0);
    let stranger = proxied(&upstream, "proxy_protocol: [10.0.0.0/8]", "");
    let mut wire = Wire::connect(stranger.address);
    wire.send("PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n");
    assert!(wire.rest().is_empty());
    assert_eq!(refused(&stranger), 1.0);
}

/// Passes the bytes of a connection on, and says for whom before.
fn balancer(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("an address to listen on");
    let address = listener.local_addr().expect("a bound socket");
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.expect("a connection");
            let mut gateway = TcpStream::connect(to).expect("a connection");
            gateway
                .write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n")
                .expect("sent");
            let mut back = (
                gateway.try_clone().expect("a socket"),
                client.try_clone().expect("a socket"),
            );
            thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
            thread::spawn(move || std::io::copy(&mut client, &mut gateway));
        }
    });
    address
}

#[test]
fn it_comes_before_tls() {
    let upstream = Upstream::start("a");
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let (certificate, key) = (own.certificate.display(), own.key.display());
    let listener = format!(
        "proxy_protocol: true, tls: {{ certificates: [{{ certificate: \"{certificate}\", key: \"{key}\" }}] }}"
    );
    let gateway = proxied(&upstream, &listener, "");
    let client = Secure::new(balancer(gateway.address), &authority);
    let (reply, _) = client.get("a.example", "/", &[]).expect("a reply");
    assert_eq!(reply.json()["headers"]["x-forwarded-for"], "192.0.2.7");
    assert_eq!(reply.json()["headers"]["x-forwarded-proto"], "https");
}

#[test]
fn clients_behind_it_are_counted_one_by_one() {
    let upstream = Upstream::start("a");
    let limits = "limits: { connections_per_client: 1 }\n";
    let gateway = proxied(&upstream, "proxy_protocol: true", limits);
    let ask = |last: u8| {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("PROXY TCP4 192.0.2.{last} 127.0.0.1 4711 80\r\n"));
        wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        (wire.head().starts_with("HTTP/1.1 200"), wire)
    };
    let (first, second, again) = (ask(1), ask(2), ask(1));
    assert_eq!([first.0, second.0, again.0], [true, true, false]);
}
