//! Answers are remembered for those that they are for, and no longer.

use std::time::Duration;

use ext_auth::ExtAuth;
use portcullis_sdk::testing::*;
use serde_json::Value;

use crate::step;

/// Lets `good` pass as whom the question names, and refuses others.
fn remembering(gateway: &Gateway, cache: Value) -> ExtAuth {
    gateway.on_http(|request| match request.header("authorization").as_deref() {
        Some("good") => HttpResponse::new(200).header("x-user", "ann"),
        Some("down") => HttpResponse::new(500),
        _ => HttpResponse::new(403),
    });
    step(
        gateway,
        json!({ "cache": cache, "headers_to_take": ["x-user"] }),
    )
}

/// How often the service is asked about two requests in a row.
fn questions(cache: Value, requests: [Request; 2]) -> usize {
    let gateway = Gateway::new();
    let mut step = remembering(&gateway, cache);
    for request in requests {
        gateway.exchange(request).run_request(&mut step);
    }
    gateway.http_requests().len()
}

#[test]
fn an_answer_is_for_requests_like_the_one_that_was_asked_about() {
    let good = |path: &str| Request::get(path).header("authorization", "good");
    let bad = |path: &str| Request::get(path).header("authorization", "bad");
    for (cache, requests, expected) in [
        (json!({ "ttl": "10s" }), [good("/"), good("/")], 1),
        (json!({ "ttl": "10s" }), [good("/"), good("/x")], 2),
        (json!({ "ttl": "10s" }), [good("/"), good("/?x")], 2),
        (json!({ "ttl": "10s" }), [good("/?"), good("/")], 2),
        (
            json!({ "ttl": "10s" }),
            [good("/"), good("/").header("host", "b.example")],
            2,
        ),
        (
            json!({ "ttl": "10s" }),
            [
                good("/"),
                Request::post("/").header("authorization", "good"),
            ],
            2,
        ),
        (
            json!({ "ttl": "10s" }),
            [good("/"), good("/").header("cookie", "a=1")],
            2,
        ),
        (
            json!({ "ttl": "10s" }),
            [good("/"), good("/").header("authorization", "good")],
            2,
        ),
        (
            json!({ "ttl": "10s" }),
            [
                good("/").header("cookie", "ab"),
                good("/").header("cookie", "a").header("cookie", "b"),
            ],
            2,
        ),
        (
            json!({ "ttl": "10s", "by_target": false }),
            [good("/"), good("/x")],
            1,
        ),
        (
            json!({ "ttl": "10s", "key": ["authorization"] }),
            [good("/"), good("/").header("cookie", "a=1")],
            1,
        ),
        // Refusals are asked about again, unless that is configured.
        (json!({ "ttl": "10s" }), [bad("/"), bad("/")], 2),
        (
            json!({ "ttl": "10s", "refusals": true }),
            [bad("/"), bad("/")],
            1,
        ),
        (
            json!({ "ttl": "10s", "refusals": true }),
            [bad("/"), good("/")],
            2,
        ),
        (
            json!({ "ttl": "10s", "refusals": true }),
            [
                Request::get("/").header("authorization", "down"),
                Request::get("/").header("authorization", "down"),
            ],
            2,
        ),
        (Value::Null, [good("/"), good("/")], 2),
    ] {
        assert_eq!(
            questions(cache.clone(), requests.clone()),
            expected,
            "{cache} {requests:?}"
        );
    }
}

#[test]
fn a_remembered_answer_does_what_the_answer_did() {
    let gateway = Gateway::new();
    let mut step = remembering(&gateway, json!({ "ttl": "10s" }));
    for _ in 0..3 {
        let request = Request::get("/")
            .header("authorization", "good")
            .header("x-user", "admin");
        let exchange = gateway.exchange(request);
        assert_eq!(exchange.run_request(&mut step), Reply::Next);
        assert_eq!(exchange.request_header_values("x-user"), ["ann"]);
    }
    let outcome = |outcome| gateway.metric("ext_auth_decisions_total", [("outcome", outcome)]);
    assert_eq!(
        (outcome("passed"), outcome("remembered")),
        (Some(1.0), Some(2.0))
    );
}

#[test]
fn an_answer_is_forgotten_after_its_time() {
    let gateway = Gateway::new();
    let mut step = remembering(&gateway, json!({ "ttl": "10s" }));
    let mut asked = || {
        gateway
            .exchange(Request::get("/").header("authorization", "good"))
            .run_request(&mut step);
        gateway.http_requests().len()
    };
    assert_eq!((asked(), asked()), (1, 0));
    gateway.advance(Duration::from_secs(10));
    assert_eq!((asked(), asked()), (1, 0));
}
