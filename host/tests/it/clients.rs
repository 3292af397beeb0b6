//! Who the client is: what it says itself, and what proxies say that are trusted
//! or not.

use crate::support::{Client, Gateway, Upstream, eventually, one_route};

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
