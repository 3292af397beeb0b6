//! What is accepted as a configuration.

use key_auth::KeyAuth;
use portcullis_sdk::testing::*;

#[test]
fn nonsense_is_refused_by_name() {
    let ann = || json!({ "name": "ann", "key": "ann-secret-1" });
    let gateway = Gateway::new();
    for (config, expected) in [
        (json!({}), "missing field `consumers`"),
        (json!({ "consumers": [] }), "`consumers` is empty"),
        (
            json!({ "consumers": [ann()], "keys": 1 }),
            "unknown field `keys`",
        ),
        (
            json!({ "consumers": [ann(), ann()] }),
            "two consumers are named `ann`",
        ),
        (
            json!({ "consumers": [ann(), { "name": "bob", "key": "ann-secret-1" }] }),
            "have the same key",
        ),
        (
            json!({ "consumers": [{ "name": "ann", "keys": ["ann-secret-1", "ann-secret-1"] }] }),
            "has it twice",
        ),
        (
            json!({ "consumers": [{ "name": "ann", "key": "ann-secret-1", "keys": ["ann-secret-1"] }] }),
            "has it twice",
        ),
        (
            json!({ "consumers": [{ "name": "ann" }] }),
            "neither `key` nor `keys`",
        ),
        (
            json!({ "consumers": [{ "name": "ann", "key": "" }] }),
            "a key is 8 to 512 characters",
        ),
        (
            json!({ "consumers": [{ "name": "ann", "key": "with space" }] }),
            "a key is 8 to 512 characters",
        ),
        (
            json!({ "consumers": [{ "name": "a,b", "key": "ann-secret-1" }] }),
            "names are printable ASCII",
        ),
        (
            json!({ "consumers": [{ "name": "a\r\nb", "key": "ann-secret-1" }] }),
            "names are printable ASCII",
        ),
        (
            json!({ "consumers": [{ "name": "a", "groups": ["a,b"], "key": "ann-secret-1" }] }),
            "names are printable ASCII",
        ),
        (
            json!({ "consumers": [ann()], "header": null }),
            "one of `header` and `query`",
        ),
        (
            json!({ "consumers": [ann()], "header": "x y" }),
            "`header` is not a header's name",
        ),
    ] {
        let text = config.to_string();
        let error = gateway.configure::<KeyAuth>(config).map(drop).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(
            !error.contains("ann-secret-1"),
            "a key in a message: {error}"
        );
    }
}
