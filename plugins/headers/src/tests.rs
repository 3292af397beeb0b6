//! The filter as the gateway runs it.

use portcullis_sdk::hooks::Hook;
use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::Headers;

#[test]
fn a_side_without_changes_is_skipped() {
    let gateway = Gateway::new();
    let change = json!({ "remove": ["x-debug"] });
    for (config, skipped) in [
        (json!({ "request": change, "response": change }), &[][..]),
        (json!({ "request": change }), &[Hook::Response]),
        (json!({ "response": change }), &[Hook::Request]),
    ] {
        let _: Headers = gateway.configure(config).expect("a valid configuration");
        assert_eq!(gateway.skipped(), skipped);
    }
}

#[test]
fn both_sides_are_changed() {
    let gateway = Gateway::new();
    gateway.set_instances("users", [instance("a", "127.0.0.1:1", 1)]);
    let config = json!({
        "request": {
            "remove": ["X-Debug"],
            "set": { "x-user": "{attribute:auth.subject}", "x-from": "{client_ip} {method} {host}{path} {header:accept}" },
            "add": { "x-hop": ["one", "{route}"] },
        },
        "response": {
            "remove": ["server"],
            "set": { "x-served-by": "{service}" },
            "add": { "vary": "origin" },
        },
    });
    let mut filter: Headers = gateway
        .configure(config)
        .expect("the configuration is valid");
    let request = Request::get("/a?b")
        .header("host", "example.com")
        .header("accept", "text/plain")
        .header("x-debug", "1")
        .header("x-user", "forged")
        .header("x-hop", "zero")
        .client("10.0.0.9")
        .route("r")
        .service("users")
        .attribute("auth.subject", "ann");
    let exchange = gateway.exchange(request);
    assert!(matches!(exchange.run_request(&mut filter), Reply::Next));
    assert_eq!(exchange.request_header("x-debug"), None);
    assert_eq!(exchange.request_header_values("x-user"), ["ann".to_owned()]);
    let from = exchange.request_header("x-from");
    assert_eq!(
        from.as_deref(),
        Some("10.0.0.9 GET example.com/a text/plain")
    );
    let hops = exchange.request_header_values("x-hop");
    assert_eq!(hops, ["zero".to_owned(), "one".to_owned(), "r".to_owned()]);

    exchange.respond_from_upstream(200, [("server", "x"), ("vary", "accept")]);
    assert!(matches!(exchange.run_response(&mut filter), Reply::Next));
    assert_eq!(exchange.response_header("server"), None);
    assert_eq!(
        exchange.response_header("x-served-by").as_deref(),
        Some("users")
    );
    let vary = exchange.response_header_values("vary");
    assert_eq!(vary, ["accept".to_owned(), "origin".to_owned()]);
}

#[test]
fn without_the_attribute_the_clients_own_claim_is_removed() {
    let gateway = Gateway::new();
    let config = json!({ "request": { "set": { "x-user": "{attribute:auth.subject}" } } });
    let mut filter: Headers = gateway
        .configure(config)
        .expect("the configuration is valid");
    let exchange = gateway.exchange(Request::get("/").header("x-user", "forged"));
    exchange.run_request(&mut filter);
    assert_eq!(exchange.request_header("x-user"), None);
}

#[test]
fn wrong_configurations_are_refused() {
    let cases = [
        (
            json!({ "request": { "remove": ["a b"] } }),
            "request: `a b` cannot be the name of a header",
        ),
        (
            json!({ "response": { "set": { "Upgrade": "h2c" } } }),
            "response: `upgrade` belongs to the gateway",
        ),
        (
            json!({ "request": { "set": { "a": "{who}" } } }),
            "`{who}` is unknown",
        ),
        (json!({ "requests": {} }), "requests"),
    ];
    let gateway = Gateway::new();
    for (config, expected) in cases {
        let error = gateway.configure::<Headers>(config).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<Headers>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
