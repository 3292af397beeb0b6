//! The filter as the gateway runs it.

use std::collections::BTreeMap;

use portcullis_sdk::hooks::Hook;
use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::TrafficSplit;

fn canary(sticky: Value) -> Value {
    let mut config = json!({ "services": [{ "name": "users-v2", "weight": 20 }, { "name": "users", "weight": 80 }] });
    if !sticky.is_null() {
        config["sticky"] = sticky;
    }
    config
}

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.set_instances("users", [instance("a", "127.0.0.1:1", 1)]);
    gateway.set_instances("users-v2", [instance("b", "127.0.0.1:2", 1)]);
    gateway
}

fn filter(gateway: &Gateway, config: Value) -> TrafficSplit {
    gateway
        .configure(config)
        .expect("the configuration is valid")
}

/// The service a request is sent to.
fn sent(gateway: &Gateway, filter: &mut TrafficSplit, request: Request) -> String {
    let exchange = gateway.exchange(request);
    assert!(matches!(exchange.run_request(filter), Reply::Next));
    exchange.service().expect("a service")
}

#[test]
fn a_fifth_of_five_thousand_requests_goes_to_the_canary() {
    let gateway = gateway();
    // Two workers, each with an instance of its own.
    let mut workers = [0, 1].map(|_| filter(&gateway, canary(Value::Null)));
    let mut counts = BTreeMap::<String, u32>::new();
    for request in 0..5_000 {
        let worker = &mut workers[request % 2];
        *counts
            .entry(sent(&gateway, worker, Request::get("/")))
            .or_default() += 1;
    }
    assert!(counts["users-v2"].abs_diff(1_000) <= 12, "{counts:?}");
    assert!(counts["users"].abs_diff(4_000) <= 12, "{counts:?}");
}

#[test]
fn a_user_stays_with_a_service_by_header_attribute_or_address() {
    type Make = fn(u32) -> Request;
    let cases: [(Value, Make); 3] = [
        (json!({ "header": "X-User" }), |user| {
            Request::get("/").header("x-user", user.to_string())
        }),
        (json!({ "attribute": "auth.subject" }), |user| {
            Request::get("/").attribute("auth.subject", &user.to_string())
        }),
        (json!({ "client_ip": true }), |user| {
            Request::get("/").client(&format!("10.0.0.{user}"))
        }),
    ];
    for (sticky, request) in cases {
        let gateway = gateway();
        let mut workers = [0, 1].map(|_| filter(&gateway, canary(sticky.clone())));
        let mut services = BTreeMap::<String, u32>::new();
        for user in 0..200 {
            let service = sent(&gateway, &mut workers[0], request(user));
            assert_eq!(sent(&gateway, &mut workers[1], request(user)), service);
            *services.entry(service).or_default() += 1;
        }
        assert!(
            (15..75).contains(&services["users-v2"]),
            "{sticky}: {services:?}"
        );
    }
}

#[test]
fn without_the_header_a_request_is_split_like_any_other() {
    let gateway = gateway();
    let mut filter = filter(&gateway, canary(json!({ "header": "x-user" })));
    let canaries =
        (0..100).filter(|_| sent(&gateway, &mut filter, Request::get("/")) == "users-v2");
    assert!(canaries.count().abs_diff(20) <= 3);
}

#[test]
fn responses_are_looked_at_only_where_a_cookie_may_be_set() {
    let gateway = gateway();
    for (sticky, skipped) in [
        (Value::Null, &[Hook::Response][..]),
        (json!({ "header": "x-user" }), &[Hook::Response]),
        (json!({ "cookie": "release" }), &[]),
    ] {
        filter(&gateway, canary(sticky));
        assert_eq!(gateway.skipped(), skipped);
    }
}

#[test]
fn a_new_client_gets_a_cookie_and_stays_where_it_names() {
    let gateway = gateway();
    let mut filter = filter(
        &gateway,
        canary(json!({ "cookie": "release", "max_age": "1h" })),
    );

    let first = gateway.exchange(Request::get("/").header("cookie", "release=gone; a=b"));
    first.run_request(&mut filter);
    let service = first.service().expect("a service");
    first.respond_from_upstream(200, [("set-cookie", "upstream=1")]);
    first.run_response(&mut filter);
    let cookies = first.response_header_values("set-cookie");
    let expected = format!("release={service}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600");
    assert_eq!(cookies, ["upstream=1".to_owned(), expected]);

    for named in ["users", "users-v2"] {
        for _ in 0..20 {
            let cookie = format!("a=b; release={named}");
            let exchange = gateway.exchange(Request::get("/").header("cookie", &cookie));
            exchange.run_request(&mut filter);
            assert_eq!(exchange.service().as_deref(), Some(named));
            exchange.respond_from_upstream(200, [("a", "b")]);
            exchange.run_response(&mut filter);
            assert_eq!(exchange.response_header("set-cookie"), None);
        }
    }
}

#[test]
fn a_service_of_weight_zero_takes_its_cookies_back() {
    let gateway = gateway();
    let config = json!({
        "services": [{ "name": "users-v2", "weight": 0 }, { "name": "users", "weight": 1 }],
        "sticky": { "cookie": "release" },
    });
    let mut filter = filter(&gateway, config);
    let exchange = gateway.exchange(Request::get("/").header("cookie", "release=users-v2"));
    exchange.run_request(&mut filter);
    exchange.respond_from_upstream(200, [("a", "b")]);
    exchange.run_response(&mut filter);
    let cookie = exchange.response_header("set-cookie");
    assert_eq!(
        cookie.as_deref(),
        Some("release=users; Path=/; HttpOnly; SameSite=Lax")
    );
}

#[test]
fn an_unknown_service_is_named() {
    let gateway = gateway();
    let config = json!({ "services": [{ "name": "nowhere", "weight": 1 }] });
    let mut filter = filter(&gateway, config);
    match gateway.exchange(Request::get("/")).run_request(&mut filter) {
        Reply::Failed(text) => assert!(text.contains("`nowhere`"), "{text}"),
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[test]
fn wrong_configurations_are_refused() {
    let cases = [
        (json!({}), "services"),
        (
            json!({ "services": [{ "name": "a", "weight": 0 }] }),
            "all weights are 0",
        ),
        (
            json!({ "services": [{ "name": "a", "weight": 1, "wait": 2 }] }),
            "wait",
        ),
        (
            canary(json!({ "header": "a", "cookie": "b" })),
            "name one of",
        ),
        (
            json!({ "services": [{ "name": "a;b", "weight": 1 }], "sticky": { "cookie": "c" } }),
            "service `a;b` cannot be named by a cookie",
        ),
    ];
    let gateway = gateway();
    for (config, expected) in cases {
        let error = gateway
            .configure::<TrafficSplit>(config)
            .expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<TrafficSplit>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
