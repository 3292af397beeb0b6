//! What becomes of a request's fields.

use super::*;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields
        .iter()
        .map(|&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

#[test]
fn hop_by_hop_fields_go_and_the_rest_stays() {
    let mut fields = headers(&[
        ("connection", "close, x-secret"),
        ("x-secret", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("accept", "*/*"),
    ]);
    strip_hop_by_hop(&mut fields, false);
    assert_eq!(fields, headers(&[("accept", "*/*")]));
}

#[test]
fn fields_of_the_client_replace_what_it_claims() {
    let mut fields = headers(&[
        ("x-forwarded-for", "6.6.6.6"),
        ("forwarded", "for=6.6.6.6"),
        ("x-forwarded-proto", "https"),
    ]);
    let client = ClientFields::new([10, 0, 0, 9].into(), Scheme::Http);
    let host = HeaderValue::from_static("example.com:8080");
    assert_eq!(client.apply(&mut fields, &host), Ok(1));
    assert_eq!(fields["x-forwarded-for"], "10.0.0.9");
    assert_eq!(fields["x-forwarded-proto"], "http");
    assert_eq!(fields["x-forwarded-host"], "example.com:8080");
    assert_eq!(
        fields["forwarded"],
        "for=10.0.0.9;host=\"example.com:8080\";proto=http"
    );
    assert_eq!(fields["via"], "1.1 portcullis");
    assert_eq!(fields.get_all("forwarded").iter().count(), 1);
}

#[test]
fn a_request_that_comes_again_and_again_loops() {
    let client = ClientFields::new([10, 0, 0, 9].into(), Scheme::Http);
    let host = HeaderValue::from_static("example.com");
    let times = |count| vec!["1.1 portcullis"; count].join(" ,");
    for (via, expected) in [
        ("1.1 other, 1.0 proxy, 2 cache", Ok(1)),
        (&times(MOST_GATEWAYS - 1), Ok(MOST_GATEWAYS)),
        (&times(MOST_GATEWAYS), Err(Loops)),
        (&times(20).replace("cullis", "cullis-eu"), Ok(1)),
    ] {
        let mut fields = HeaderMap::new();
        fields.insert("via", via.parse().unwrap());
        assert_eq!(client.apply(&mut fields, &host), expected, "{via}");
    }
    let mut fields = HeaderMap::new();
    for passed in 0..=MOST_GATEWAYS {
        let expected = if passed < MOST_GATEWAYS {
            Ok(passed + 1)
        } else {
            Err(Loops)
        };
        assert_eq!(client.apply(&mut fields, &host), expected, "{passed}");
    }
}

#[test]
fn as_many_gateways_are_named_as_there_were() {
    for (via, count, expected) in [
        (None, 1, vec!["1.1 portcullis"]),
        (Some("1.0 a"), 1, vec!["1.0 a", "1.1 portcullis"]),
        (Some("1.1 portcullis"), 1, vec!["1.1 portcullis"]),
        (
            Some("1.1 portcullis, 1.0 a"),
            3,
            vec!["1.1 portcullis, 1.0 a", "1.1 portcullis", "1.1 portcullis"],
        ),
        (None, 0, vec![]),
    ] {
        let mut fields = HeaderMap::new();
        if let Some(via) = via {
            fields.insert("via", via.parse().unwrap());
        }
        insist(&mut fields, count);
        assert_eq!(
            fields.get_all("via").iter().collect::<Vec<_>>(),
            expected,
            "{via:?}"
        );
    }
}

#[test]
fn an_id_is_kept_if_well_formed_and_else_made() {
    let kept = request_id(&headers(&[("x-request-id", "trace-1/a")]));
    assert_eq!(kept.as_str(), "trace-1/a");
    for bad in ["", "a b", "a\"b", "a{b"] {
        let made = request_id(&headers(&[("x-request-id", bad)]));
        assert_eq!(made.as_str().len(), 32, "{bad:?}");
    }
    assert_ne!(new_id(), new_id());
}

#[test]
fn what_an_untrusted_peer_claims_is_dropped_or_replaced() {
    let mut fields = headers(&[
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/x"),
        ("x-real-ip", "6.6.6.6"),
        ("x-forward", "stays"),
    ]);
    let mut client = ClientFields::new([192, 0, 2, 1].into(), Scheme::Http);
    client.trust(&networks("10.0.0.0/8"));
    assert!(client.told(&fields).is_none());
    let host = HeaderValue::from_static("a");
    assert_eq!(client.apply(&mut fields, &host), Ok(1));
    assert_eq!(fields["x-real-ip"], "192.0.2.1");
    assert_eq!(fields["x-forward"], "stays");
    for gone in ["x-forwarded-port", "x-forwarded-prefix"] {
        assert!(!fields.contains_key(gone), "{gone}");
    }
}

#[test]
fn a_trusted_proxy_says_for_whom_it_asks_and_forwarded_is_not_read() {
    let mut fields = headers(&[
        ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=6.6.6.6;proto=http"),
    ]);
    let mut proxy = ClientFields::new([10, 0, 0, 9].into(), Scheme::Http);
    proxy.trust(&networks("10.0.0.0/8"));
    let client = proxy.told(&fields).expect("a proxy that is trusted");
    assert_eq!(client.client(), IpAddr::from([192, 0, 2, 1]));
    assert_eq!(client.scheme(), Scheme::Https);
    let host = HeaderValue::from_static("inner:8080");
    assert_eq!(client.apply(&mut fields, &host), Ok(1));
    assert_eq!(fields["x-forwarded-for"], "192.0.2.1");
    assert_eq!(fields["x-forwarded-proto"], "https");
    assert_eq!(fields["x-forwarded-host"], "shop.example");
    assert_eq!(fields["x-forwarded-port"], "443");
    let forwarded = "for=192.0.2.1;host=\"shop.example\";proto=https";
    assert_eq!(fields["forwarded"], forwarded);
}

#[test]
fn what_a_trusted_proxy_says_has_to_make_sense() {
    let mut proxy = ClientFields::new([10, 0, 0, 9].into(), Scheme::Http);
    proxy.trust(&networks("10.0.0.0/8"));
    for (name, value, field, expected) in [
        ("x-forwarded-host", "a\"b", "x-forwarded-host", "inner"),
        ("x-forwarded-host", "u@b", "x-forwarded-host", "inner"),
        ("x-forwarded-host", "evil, b:80", "x-forwarded-host", "b:80"),
        ("x-forwarded-proto", "gopher", "x-forwarded-proto", "http"),
        (
            "x-forwarded-proto",
            "http, HTTPS",
            "x-forwarded-proto",
            "https",
        ),
    ] {
        let mut fields = headers(&[(name, value)]);
        let client = proxy.told(&fields).expect("a proxy that is trusted");
        let host = HeaderValue::from_static("inner");
        assert_eq!(client.apply(&mut fields, &host), Ok(1));
        assert_eq!(fields[field], expected, "{value}");
    }
}

fn networks(network: &str) -> Networks {
    [network.parse().expect("a network")].into_iter().collect()
}
