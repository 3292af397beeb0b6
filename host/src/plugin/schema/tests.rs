//! What is said of a configuration that does not fit, and of schemas that
//! cannot be used.

use serde_json::json;

use super::*;

/// The violations as `pointer: message [hint]`, in any order.
fn shown(schema: &Value, config: &Value) -> Vec<String> {
    let show = |violation: SchemaViolation| {
        let hint = violation
            .hint
            .map(|hint| format!(" [{hint}]"))
            .unwrap_or_default();
        format!("{}: {}{hint}", violation.pointer, violation.message)
    };
    let mut lines: Vec<_> = check(&schema.to_string(), config)
        .into_iter()
        .map(show)
        .collect();
    lines.sort();
    lines
}

/// What a plugin's schema looks like when it is derived.
fn limiter() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["requests", "algorithm"],
        "additionalProperties": false,
        "properties": {
            "requests": { "type": "integer", "minimum": 1 },
            "algorithm": { "$ref": "#/$defs/Algorithm" },
            "key": { "anyOf": [{ "$ref": "#/$defs/Key" }, { "type": "null" }] },
            "windows": { "type": "array", "items": { "$ref": "#/$defs/Window" } },
        },
        "$defs": {
            "Algorithm": { "oneOf": [
                { "type": "string", "const": "token_bucket" },
                { "type": "string", "const": "fixed_window" },
            ]},
            "Key": { "oneOf": [
                { "type": "object", "required": ["header"], "additionalProperties": false,
                  "properties": { "header": { "type": "string", "minLength": 1 } } },
                { "type": "string", "enum": ["client", "route"] },
            ]},
            "Window": { "type": "object", "additionalProperties": false,
                        "properties": { "length": { "type": ["string", "null"] } } },
        },
    })
}

#[test]
fn all_that_is_wrong_is_said_where_it_stands() {
    let schema = limiter();
    for (config, expected) in [
        (
            json!({ "requests": 1, "algorithm": "token_bucket" }),
            &[][..],
        ),
        (
            json!({ "requests": 1, "algorithm": "fixed_window", "key": null }),
            &[],
        ),
        (
            json!({ "request": 1, "algorithm": "token_bucket" }),
            &[
                "/request: unknown key [did you mean `requests`?]",
                ": `requests` is missing",
            ],
        ),
        (
            json!({ "requests": "many", "algorithm": "leaky" }),
            &[
                "/algorithm: must be one of \"token_bucket\", \"fixed_window\"",
                "/requests: must be a whole number",
            ],
        ),
        (
            json!({ "requests": 0, "algorithm": "token_bucket", "a/b": 1 }),
            &["/a~1b: unknown key", "/requests: must be at least 1"],
        ),
        (
            json!({ "requests": 1, "algorithm": "token_bucket", "key": { "header": "" } }),
            &["/key/header: must not be empty"],
        ),
        (
            json!({ "requests": 1, "algorithm": "token_bucket", "windows": [{}, { "lenght": "1s" }] }),
            &["/windows/1/lenght: unknown key [did you mean `length`?]"],
        ),
        (json!([]), &[": must be an object (`key: value`)"]),
    ] {
        assert_eq!(shown(&schema, &config), expected, "{config}");
    }
}

#[test]
fn values_are_never_shown() {
    let schema = json!({ "properties": {
        "secret": { "type": "string", "minLength": 32, "pattern": "^[a-z]+$", "format": "uuid" },
        "keys": { "uniqueItems": true, "contains": { "const": 1 }, "not": {} },
    }});
    let config = json!({ "secret": "hunter2", "keys": ["hunter2", "hunter2"] });
    let lines = shown(&schema, &config);
    assert!(lines.len() >= 4, "{lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains("hunter2")),
        "{lines:?}"
    );
}

#[test]
fn a_hostile_schema_is_refused_and_nothing_else_happens() {
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "allOf": [inner] }));
    let wide = json!({ "enum": vec![0; 30_000] });
    for (schema, reason) in [
        (
            json!({ "$ref": "https://example.com/schema.json" }),
            "only references like",
        ),
        (
            json!({ "$ref": "file:///etc/passwd" }),
            "only references like",
        ),
        (json!({ "$ref": "#/nowhere" }), "only references like"),
        (json!({ "$ref": "#" }), "circle"),
        (
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "not": { "$ref": "#/$defs/a" } } } }),
            "circle",
        ),
        (json!({ "$dynamicRef": "#x" }), "not supported"),
        (deep, "apply to one value"),
        (wide, "parts"),
        (json!({ "type": "strin" }), "cannot be used"),
        (json!({ "pattern": "(a{1000}){1000}" }), "cannot be used"),
        (
            json!({ "$schema": "https://example.com/own", "type": "object" }),
            "cannot be used",
        ),
        (json!(1), "cannot be used"),
    ] {
        let lines = shown(&schema, &json!("a"));
        assert_eq!(lines.len(), 1, "{schema}: {lines:?}");
        assert!(lines[0].contains(reason), "{schema}: {lines:?}");
    }
    let not_json = check("{", &json!({}));
    assert!(not_json[0].message.contains("cannot be used"));
}

#[test]
fn a_schema_may_refer_to_itself_where_values_nest() {
    let schema = json!({
        "type": "object",
        "additionalProperties": { "$ref": "#" },
    });
    assert_eq!(shown(&schema, &json!({ "a": { "b": {} } })), [""; 0]);
    assert_eq!(
        shown(&schema, &json!({ "a": { "b": 1 } })),
        ["/a/b: must be an object (`key: value`)"]
    );
}

#[test]
fn a_pattern_cannot_take_exponential_time_and_violations_are_bounded() {
    let schema = json!({ "items": { "pattern": "^(a+)+$" } });
    let config = json!(vec![format!("{}!", "a".repeat(100)); 1_000]);
    assert_eq!(check(&schema.to_string(), &config).len(), MOST);
}
