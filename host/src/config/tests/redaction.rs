//! What the admin API shows of a configuration.

use super::{EXAMPLE, yaml};

#[test]
fn the_effective_configuration_is_shown_without_secrets() {
    let text = EXAMPLE
        .replace(
            "issuer: example",
            "issuer: \"x${JWT_SECRET}\", keys: [{ pem: abc }], n: 5",
        )
        .replace(
            "host: api.example.com",
            "headers: { x-api-key: abc, x-version: \"2\" }",
        );
    let shown = yaml(&text).unwrap().redacted();
    let route = &shown["routes"][0];
    let config = &route["pipeline"][0]["config"];
    assert_eq!(config["secret"], "[redacted]");
    assert_eq!(config["issuer"], "[redacted]");
    assert_eq!(config["keys"][0]["pem"], "[redacted]");
    assert_eq!(config["n"], 5);
    assert_eq!(config["algorithms"][0], "HS256");
    assert_eq!(route["match"]["headers"]["x-api-key"], "[redacted]");
    assert_eq!(route["match"]["headers"]["x-version"], "2");
    assert_eq!(route["timeout"], "5s");
    assert_eq!(route["retries"]["backoff"]["max"], "250ms");
    assert_eq!(shown["services"]["users"]["instances"][0]["weight"], 3);
    assert_eq!(shown["limits"]["request_head"], "64KiB");
    assert!(!shown.to_string().contains("very secret"));
}

/// What is shown could be loaded again, but for what is hidden.
#[test]
fn what_is_shown_has_the_shape_of_the_file() {
    let shown = yaml(EXAMPLE).unwrap().redacted();
    let text = without_nulls(shown).to_string();
    let again = crate::config::parse("dir/a.json".as_ref(), &text, &|_| None);
    assert_eq!(again.unwrap().routes[0].name, "users");
}

fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(entries) => (entries.into_iter())
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        serde_json::Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}
