//! The filter as the gateway runs it.

use mask::Mask;
use portcullis_sdk::Side;
use portcullis_sdk::hooks::Hook;
use portcullis_sdk::serde_json::Value;
use portcullis_sdk::testing::*;

fn config(side: &str) -> Value {
    json!({ "side": side, "rules": [{ "preset": "email", "replace": "<mail>" }] })
}

fn filter(gateway: &Gateway, config: Value) -> Mask {
    gateway
        .configure(config)
        .expect("the configuration is valid")
}

#[test]
fn both_bodies_are_masked_across_chunks() {
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, config("both"));
    let request = Request::post("/")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    let exchange = gateway.exchange(request);
    assert_eq!(exchange.run_request(&mut filter), Reply::Next);
    assert!(exchange.decodes_body(Side::Request));
    let body = exchange.run_request_body(&mut filter, ["{\"a\":\"ann@exam", "ple.com\"}"]);
    assert_eq!(
        (&*body.text(), body.reply()),
        ("{\"a\":\"<mail>\"}", &Reply::Next)
    );
    exchange.respond_from_upstream(200, [("content-type", "text/html")]);
    assert_eq!(exchange.run_response(&mut filter), Reply::Next);
    let body = exchange.run_response_body(&mut filter, ["<p>bob@", "example.com"]);
    assert_eq!(body.text(), "<p><mail>");
}

#[test]
fn a_side_that_is_not_masked_passes_by() {
    for (side, hooks, bodies) in [
        ("both", &[][..], &[][..]),
        ("request", &[Hook::Response], &[Side::Response]),
        ("response", &[], &[Side::Request]),
    ] {
        let gateway = Gateway::new();
        filter(&gateway, config(side));
        assert_eq!(gateway.skipped(), hooks, "{side}");
        assert_eq!(gateway.skipped_bodies(), bodies, "{side}");
    }
}

#[test]
fn only_text_is_masked_and_what_may_be_taken_for_it() {
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, config("response"));
    let mut masked = |fields: &[&str]| {
        let exchange = gateway.exchange(Request::get("/"));
        exchange.run_request(&mut filter);
        match fields {
            [] => exchange.respond_from_upstream(200, []),
            [one] => exchange.respond_from_upstream(200, [("content-type", *one)]),
            [one, other, ..] => exchange
                .respond_from_upstream(200, [("content-type", *one), ("content-type", *other)]),
        }
        exchange.run_response(&mut filter);
        let body = exchange.run_response_body(&mut filter, ["ann@example.com"]);
        body.text() == "<mail>"
    };
    for (types, expected) in [
        (&["text/plain; charset=utf-8"][..], true),
        (&["application/problem+json"], true),
        (&["image/png"], false),
        (&["image/png", "text/html"], true),
        (&["nonsense"], true),
        (&[""], true),
        (&[], true),
    ] {
        assert_eq!(masked(types), expected, "{types:?}");
    }
}

#[test]
fn a_response_is_not_fetched_in_parts() {
    let gateway = Gateway::new();
    for (side, range) in [
        ("response", None),
        ("both", None),
        ("request", Some("bytes=0-5")),
    ] {
        let mut filter = filter(&gateway, config(side));
        let exchange = gateway.exchange(Request::get("/").header("range", "bytes=0-5"));
        exchange.run_request(&mut filter);
        assert_eq!(exchange.request_header("range").as_deref(), range, "{side}");
    }
}

#[test]
fn a_coding_that_cannot_be_undone_is_refused() {
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, config("both"));
    let coded = Request::post("/").header("content-encoding", "zstd");
    let reply = gateway.exchange(coded).run_request(&mut filter);
    let answer = reply.answer().expect("an answer");
    assert_eq!(answer.status(), 415);
    assert_eq!(
        answer.header_text("accept-encoding"),
        Some("gzip, deflate, br")
    );
    let exchange = gateway.exchange(Request::get("/"));
    exchange.respond_from_upstream(200, [("content-encoding", "zstd")]);
    let reply = exchange.run_response(&mut filter);
    assert_eq!(reply.answer().map(|answer| answer.status()), Some(502));
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let gateway = Gateway::new();
    let rule = json!({ "literal": "a" });
    for (config, expected) in [
        (
            json!({ "rules": [rule], "max_match": "63B" }),
            "max_match: from 64B to 64KiB",
        ),
        (
            json!({ "rules": [rule], "max_match": "65KiB" }),
            "max_match: from 64B to 64KiB",
        ),
        (json!({ "rules": [rule, {}] }), "rules[1]: needs one of"),
        (
            json!({ "rules": [rule], "content_types": ["text"] }),
            "not a media type",
        ),
    ] {
        let error = gateway.configure::<Mask>(config).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}
