//! What is accepted as a configuration.

use portcullis_sdk::testing::*;
use rate_limit::RateLimit;

#[test]
fn good_configurations_are_accepted() {
    let gateway = Gateway::new();
    for config in [
        json!({ "algorithm": "token_bucket", "requests": 100, "per": "1s", "burst": 200, "key": "client_ip" }),
        json!({ "requests": 1000, "per": "1h" }),
        json!({ "limits": [{ "requests": 100, "per": "1m" }, { "requests": 1000, "per": "1h" }], "key": "subject" }),
        json!({ "limits": [{ "requests": 1, "per": "1s", "algorithm": "token_bucket", "burst": 5 }] }),
        json!({ "requests": 10, "per": "1h", "cost": 10 }),
    ] {
        gateway.configure::<RateLimit>(config).map(drop).unwrap();
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    let gateway = Gateway::new();
    for (config, expected) in [
        (json!({}), "`requests` and `per` are missing"),
        (json!({ "requests": 1 }), "`per` is missing"),
        (json!({ "per": "1s" }), "`requests` is missing"),
        (
            json!({ "requests": 1, "per": "0s" }),
            "`per` is 0s, but longer than 0s",
        ),
        (
            json!({ "requests": 1, "per": "400d" }),
            "`per` is 400d, but longer than 0s and at most 366d",
        ),
        (json!({ "requests": 0, "per": "1s" }), "at least 1"),
        (
            json!({ "requests": 1, "per": "1s", "cost": 0 }),
            "at least 1",
        ),
        (
            json!({ "requests": 1, "per": "1s", "cost": 2 }),
            "nothing would ever pass",
        ),
        (
            json!({ "requests": 1, "per": "1s", "burst": 2 }),
            "`burst` is for `algorithm: token_bucket` only",
        ),
        (
            json!({ "requests": 1, "per": "1s", "algorithm": "leaky_bucket" }),
            "unknown variant `leaky_bucket`",
        ),
        (
            json!({ "requests": 1, "per": "1s", "key": "ip" }),
            "`ip` is no key",
        ),
        (
            json!({ "requests": 1, "per": "1s", "rate": 2 }),
            "unknown field `rate`",
        ),
        (json!({ "limits": [] }), "`requests` and `per` are missing"),
        (
            json!({ "requests": 1, "per": "1s", "limits": [{ "requests": 1, "per": "1s" }] }),
            "go into the entries",
        ),
        (
            json!({ "limits": [{ "requests": 1 }] }),
            "missing field `per`",
        ),
        (
            json!({ "limits": [{ "requests": 1, "per": "1s" }, { "requests": 1, "per": "1s", "burst": 2 }] }),
            "`limits` entry 2: `burst`",
        ),
        (
            json!({ "limits": [{ "name": "a", "requests": 1, "per": "1s" }, { "name": "a", "requests": 9, "per": "1h" }] }),
            "two `limits` are named `a`",
        ),
    ] {
        let text = config.to_string();
        let error = gateway
            .configure::<RateLimit>(config)
            .map(drop)
            .unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
