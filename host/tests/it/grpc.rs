//! Calls of gRPC: from end to end, and what the gateway says where it answers.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use crate::support::{Gateway, Http2, Upstream, one_route};

const METHOD: &str = "/orders.Orders/Place";

fn start(upstream: &Upstream, plugins: &[&str], route: &str) -> (Gateway, Http2) {
    let config = one_route(&[upstream.address], "protocol: http2", route);
    let gateway = Gateway::start(plugins, &config);
    let client = Http2::connect(gateway.address, "orders.example");
    (gateway, client)
}

#[test]
fn a_call_passes_with_its_trailers_both_ways() {
    let upstream = Upstream::start_http2("a");
    let (_gateway, client) = start(&upstream, &[], "");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("abc"));
    let whole = client
        .call(METHOD, &[], "a message", trailers)
        .expect("a reply");
    assert_eq!(whole.reply.status, 200);
    assert_eq!(whole.reply.header("content-type"), "application/grpc");
    assert_eq!(whole.reply.text(), "a message");
    assert_eq!(whole.trailers["grpc-status"], "0");
    assert_eq!(whole.trailers["x-checksum"], "abc");
}

#[test]
fn the_clients_deadline_is_kept() {
    let upstream = Upstream::start_http2("a");
    upstream.delay(Duration::from_secs(5));
    let (_gateway, client) = start(&upstream, &[], "");
    let begun = Instant::now();
    let deadline = [("grpc-timeout", "200m")];
    let whole = client
        .call(METHOD, &deadline, "", HeaderMap::new())
        .expect("a reply");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status(&whole.reply.headers), "4", "DEADLINE_EXCEEDED");
}

#[test]
fn what_the_gateway_answers_is_grpc() {
    let upstream = Upstream::start_http2("a");
    let route = "pipeline: [{ plugin: key-auth, config: { consumers: \
        [{ name: a, key: a-key-that-is-long-enough }] } }]";
    let (gateway, client) = start(&upstream, &["key-auth"], route);
    let refused = client
        .call(METHOD, &[], "", HeaderMap::new())
        .expect("a reply");
    assert_eq!(refused.reply.status, 200);
    assert_eq!(refused.reply.header("content-type"), "application/grpc");
    assert_eq!(status(&refused.reply.headers), "16", "UNAUTHENTICATED");
    assert_eq!(refused.reply.header("grpc-message"), "Unauthorized");
    assert!(refused.reply.body.is_empty());
    // Whoever does not speak gRPC gets what there is for all others.
    assert_eq!(gateway.get(METHOD).status, 401);
    assert_eq!(upstream.hits(), 0);

    let nobody = Gateway::start(
        &[],
        "services: { s: { protocol: http2 } }\nroutes: [{ name: r, match: { path: /a }, service: s }]\n",
    );
    let client = Http2::connect(nobody.address, "orders.example");
    for (path, expected) in [("/a", "14"), ("/b", "12")] {
        let whole = client
            .call(path, &[], "", HeaderMap::new())
            .expect("a reply");
        assert_eq!(status(&whole.reply.headers), expected, "{path}");
    }
    // In its own words it is what it would be for others.
    let series = "portcullis_requests_total{route=\"r\",status=\"503\"}";
    assert_eq!(nobody.metric(series), Some(1.0));
}

#[track_caller]
fn status(headers: &HeaderMap) -> &str {
    headers["grpc-status"].to_str().expect("text")
}
