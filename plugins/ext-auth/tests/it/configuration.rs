//! What a configuration may not say.

use ext_auth::ExtAuth;
use portcullis_sdk::testing::*;

#[test]
fn mistakes_are_named() {
    let gateway = Gateway::new();
    let url = "https://auth.example.com/";
    for (config, says) in [
        (json!({}), "either `url` or `service`"),
        (
            json!({ "url": url, "service": "auth" }),
            "either `url` or `service`",
        ),
        (json!({ "url": url, "path": "/check" }), "put it into `url`"),
        (json!({ "url": "auth.example.com" }), "`url` is no"),
        (json!({ "url": "https://auth example" }), "`url` is no"),
        (
            json!({ "service": "auth", "path": "check" }),
            "`path` does not begin",
        ),
        (json!({ "url": url, "method": "get" }), "`method`"),
        (
            json!({ "url": url, "method": "GET", "send_body": true }),
            "a GET has no body",
        ),
        (json!({ "url": url, "timeout": "0s" }), "`timeout`"),
        (json!({ "url": url, "timeout": "6m" }), "`timeout`"),
        (
            json!({ "url": url, "headers_to_send": ["Host"] }),
            "the gateway itself owns `host`",
        ),
        (
            json!({ "url": url, "headers_to_send": ["X-Original-URI"] }),
            "says itself",
        ),
        (
            json!({ "url": url, "headers_to_take": ["x user"] }),
            "not a header's name",
        ),
        (
            json!({ "url": url, "headers_to_take": ["Content-Length"] }),
            "owns",
        ),
        (
            json!({ "url": url, "headers_to_response": ["x"], "send_body": true }),
            "`headers_to_response`",
        ),
        (
            json!({ "url": url, "cache": { "ttl": "1s" }, "send_body": true }),
            "`cache`",
        ),
        (
            json!({ "url": url, "cache": { "ttl": "0s" } }),
            "`cache.ttl`",
        ),
        (
            json!({ "url": url, "cache": { "ttl": "25h" } }),
            "`cache.ttl`",
        ),
        (
            json!({ "url": url, "cache": { "ttl": "1s", "key": [""] } }),
            "`cache.key`",
        ),
        (json!({ "url": url, "on_unavailable": "maybe" }), "maybe"),
        (json!({ "uri": url }), "uri"),
    ] {
        let error = gateway
            .configure::<ExtAuth>(config.clone())
            .expect_err("it is refused");
        assert!(error.contains(says), "{config}: {error}");
    }
}
