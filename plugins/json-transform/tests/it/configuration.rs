//! Mistakes are found when the plugin is configured, and named.

use json_transform::config::{ChangesConfig, Mode, OnInvalid};
use json_transform::transform::Transform;

use crate::changes;

#[test]
fn defaults_are_the_careful_ones() {
    let config = changes("{}");
    assert_eq!(
        (config.mode, config.on_invalid),
        (Mode::Document, OnInvalid::Fail)
    );
    assert_eq!(config.max_line.to_string(), "1MiB");
    assert_eq!(ChangesConfig::default().max_line, config.max_line);
}

#[test]
fn mistakes_are_named() {
    for (config, expected) in [
        (r#"{"remove": ["a..b"]}"#, "remove: `a..b` is not a path"),
        (r#"{"remove": ["a", "a"]}"#, "remove: `a` is there twice"),
        (
            r#"{"remove": ["a", "\\a"]}"#,
            r"remove: `\a` is there twice",
        ),
        (
            r#"{"rename": {"*": "b"}}"#,
            "rename: `*` has to end with a name",
        ),
        (
            r#"{"rename": {"a[]": "b"}}"#,
            "rename: `a[]` has to end with a name",
        ),
        (
            r#"{"rename": {"x.a": "c", "x.b": "c"}}"#,
            "rename: `x.b` gets the name `c`, as another field does",
        ),
        (
            r#"{"add": {"a[]": 1}}"#,
            "add: `a[]` has to end with a name",
        ),
        (
            r#"{"set": {"a": {}, "a.b": 1}}"#,
            "set: `a.b` is a part of what is given as a whole",
        ),
        (
            r#"{"add": {"a": {}, "a.b": 1}}"#,
            "add: `a.b` is a part of what is given as a whole",
        ),
    ] {
        let error = Transform::new(&changes(config)).expect_err(config);
        assert!(error.contains(expected), "{error}");
    }
}
