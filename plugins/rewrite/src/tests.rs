//! The filter as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::Rewrite;

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    for service in ["monolith", "users-v1", "users-v2", "orders"] {
        gateway.set_instances(service, [instance("a", "127.0.0.1:1", 1)]);
    }
    gateway
}

/// The path and the service that a request ends up with.
fn rewritten(config: &Value, request: Request) -> (String, String) {
    let gateway = gateway();
    let mut filter: Rewrite = gateway
        .configure(config.clone())
        .expect("the configuration is valid");
    let exchange = gateway.exchange(request.service("monolith"));
    assert!(matches!(exchange.run_request(&mut filter), Reply::Next));
    (exchange.path(), exchange.service().expect("a service"))
}

fn check(config: &Value, cases: &[(&str, &str, &str)]) {
    for (from, path, service) in cases {
        let (new_path, new_service) = rewritten(config, Request::get(from));
        assert_eq!(
            (new_path.as_str(), new_service.as_str()),
            (*path, *service),
            "{from}"
        );
    }
}

#[test]
fn a_version_in_the_path_names_the_service() {
    let config = json!({ "rules": [
        { "prefix": "/api/v1", "to": "/", "service": "users-v1" },
        { "prefix": "/api/v2", "to": "/", "service": "users-v2" },
    ]});
    check(
        &config,
        &[
            ("/api/v1/users/7", "/users/7", "users-v1"),
            ("/api/v2/users/7", "/users/7", "users-v2"),
            ("/api/v2", "/", "users-v2"),
            ("/api/v10/users", "/api/v10/users", "monolith"),
            ("/users", "/users", "monolith"),
        ],
    );
}

#[test]
fn a_version_in_a_header_names_the_service() {
    let config =
        json!({ "rules": [{ "header": { "Accept-Version": "2" }, "service": "users-v2" }] });
    let request = |version: &str| Request::get("/users").header("accept-version", version);
    let sent = |request: Request| rewritten(&config, request);
    assert_eq!(
        sent(request("2")),
        ("/users".to_owned(), "users-v2".to_owned())
    );
    assert_eq!(sent(request("1")).1, "monolith");
    assert_eq!(
        sent(request("1").header("accept-version", "2")).1,
        "users-v2"
    );
    assert_eq!(sent(Request::get("/users")).1, "monolith");
}

#[test]
fn the_strangler_moves_some_prefixes_and_leaves_the_rest() {
    let config = json!({ "rules": [
        { "prefix": "/shop/orders", "to": "/orders", "service": "orders" },
        { "prefix": "/shop/users", "header": { "x-beta": "*" }, "service": "users-v2" },
        { "service": "monolith" },
    ]});
    check(
        &config,
        &[
            ("/shop/orders/1", "/orders/1", "orders"),
            ("/shop/ordersheet", "/shop/ordersheet", "monolith"),
            ("/shop/users", "/shop/users", "monolith"),
            ("/", "/", "monolith"),
        ],
    );
    let beta = Request::get("/shop/users").header("x-beta", "yes");
    assert_eq!(rewritten(&config, beta).1, "users-v2");
}

#[test]
fn the_query_stays_and_headers_are_set() {
    let config = json!({ "rules": [{ "prefix": "/old", "to": "/new", "set_headers": { "X-Moved": "yes" } }] });
    let gateway = gateway();
    let mut filter: Rewrite = gateway
        .configure(config)
        .expect("the configuration is valid");
    let exchange = gateway.exchange(Request::get("/old/a?b=/old&c").header("x-moved", "no"));
    exchange.run_request(&mut filter);
    assert_eq!(exchange.path(), "/new/a");
    assert_eq!(exchange.query().as_deref(), Some("b=/old&c"));
    assert_eq!(
        exchange.request_header_values("x-moved"),
        ["yes".to_owned()]
    );
}

#[test]
fn an_unknown_service_is_named() {
    let gateway = gateway();
    let config = json!({ "rules": [{ "service": "nowhere" }] });
    let mut filter: Rewrite = gateway
        .configure(config)
        .expect("the configuration is valid");
    match gateway.exchange(Request::get("/")).run_request(&mut filter) {
        Reply::Failed(text) => assert!(text.contains("`nowhere`"), "{text}"),
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[test]
fn a_wrong_rule_is_named_by_its_place() {
    let rules = json!({ "rules": [{ "service": "orders" }, { "prefix": "/a" }] });
    let cases = [
        (rules, "rules[1]: does nothing"),
        (
            json!({ "rules": [{ "prefix": "/a", "strip": true }] }),
            "strip",
        ),
        (json!({}), "rules"),
    ];
    let gateway = gateway();
    for (config, expected) in cases {
        let error = gateway.configure::<Rewrite>(config).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<Rewrite>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
