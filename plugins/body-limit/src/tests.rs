//! The filter as the gateway runs it.

use portcullis_sdk::Side;
use portcullis_sdk::hooks::Hook;
use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::BodyLimit;

fn filter(gateway: &Gateway, config: Value) -> BodyLimit {
    gateway
        .configure(config)
        .expect("the configuration is valid")
}

fn status(reply: &Reply) -> Option<u16> {
    reply.answer().map(|answer| answer.status())
}

#[test]
fn a_request_is_refused_as_soon_as_it_is_known_to_be_too_long() {
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, json!({ "max_bytes": 10 }));
    let announced = |length: &str| {
        let request = Request::post("/").header("content-length", length);
        gateway.exchange(request)
    };
    let reply = announced("11").run_request(&mut filter);
    let answer = reply.answer().expect("an answer");
    assert_eq!(answer.status(), 413);
    assert!(answer.body_text().contains("at most 10 bytes"));
    assert_eq!(announced("10").run_request(&mut filter), Reply::Next);
    for (chunks, expected) in [
        (&["12345", "67890"][..], ("1234567890", None)),
        (&["12345", "67890", "1"], ("1234567890", Some(413))),
        (&["12345678901"], ("", Some(413))),
        (&[], ("", None)),
    ] {
        let exchange = gateway.exchange(Request::post("/"));
        assert_eq!(exchange.run_request(&mut filter), Reply::Next);
        let body = exchange.run_request_body(&mut filter, chunks);
        assert_eq!((&*body.text(), status(body.reply())), expected);
    }
}

#[test]
fn a_response_that_is_too_long_is_replaced_or_broken_off() {
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, json!({ "max_bytes": "1KiB", "side": "response" }));
    for (method, status_code, length, expected) in [
        ("GET", 200, "1025", Some(502)),
        ("GET", 200, "1024", None),
        ("HEAD", 200, "1025", None),
        ("GET", 304, "1025", None),
    ] {
        let exchange = gateway.exchange(Request::new(method, "/"));
        exchange.respond_from_upstream(status_code, [("content-length", length)]);
        let reply = exchange.run_response(&mut filter);
        assert_eq!(status(&reply), expected, "{method} {status_code} {length}");
    }
    let exchange = gateway.exchange(Request::get("/"));
    exchange.respond_from_upstream(200, []);
    assert_eq!(exchange.run_response(&mut filter), Reply::Next);
    let body = exchange.run_response_body(&mut filter, ["x".repeat(1_000), "y".repeat(25)]);
    assert_eq!(body.bytes().len(), 1_000);
    assert!(matches!(body.reply(), Reply::Failed(_)));
}

#[test]
fn a_side_without_a_limit_is_skipped() {
    for (side, hooks, bodies) in [
        ("both", &[][..], &[][..]),
        ("request", &[Hook::Response], &[Side::Response]),
        ("response", &[Hook::Request], &[Side::Request]),
    ] {
        let gateway = Gateway::new();
        filter(&gateway, json!({ "max_bytes": 1, "side": side }));
        assert_eq!(gateway.skipped(), hooks, "{side}");
        assert_eq!(gateway.skipped_bodies(), bodies, "{side}");
    }
}

/// `UPDATE_SCHEMA=1 cargo test -p body-limit` writes the file anew.
#[test]
fn the_schema_file_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let described = Gateway::new().schema::<BodyLimit>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(&described).expect("JSON");
        std::fs::write(file, text + "\n").expect("the file can be written");
    }
    let published = std::fs::read_to_string(file).expect("there is a schema file");
    let published: Value = serde_json::from_str(&published).expect("JSON");
    assert_eq!(published, described, "run with UPDATE_SCHEMA=1");
}
