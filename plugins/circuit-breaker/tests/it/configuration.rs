//! What is accepted as a configuration.

use circuit_breaker::CircuitBreaker;
use portcullis_sdk::testing::*;
use serde_json::Value;

#[test]
fn good_configurations_are_accepted() {
    let gateway = Gateway::new();
    for config in [
        json!({}),
        json!({ "failure_threshold": 5, "success_threshold": 3, "timeout": "60s", "max_requests": 1 }),
        json!({ "failure_rate": 50, "window": "1m", "minimum_requests": 20 }),
        json!({ "failure_statuses": ["5xx", 429], "scope": "route", "trial_timeout": "5s" }),
        json!({ "failure_statuses": [] }),
        json!({ "timeout": "1d" }),
    ] {
        gateway
            .configure::<CircuitBreaker>(config)
            .map(drop)
            .unwrap();
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    let gateway = Gateway::new();
    for (config, expected) in [
        (json!({ "threshold": 5 }), "unknown field `threshold`"),
        (
            json!({ "timeout": "0s" }),
            "`timeout` must be longer than 0s",
        ),
        (
            json!({ "timeout": "2d" }),
            "`timeout` is 2d, but at most 1d",
        ),
        (
            json!({ "window": "0ms" }),
            "`window` must be longer than 0s",
        ),
        (
            json!({ "trial_timeout": "25h" }),
            "`trial_timeout` is 1d1h, but at most 1d",
        ),
        (json!({ "timeout": 60 }), "expected a string"),
        (json!({ "timeout": "soon" }), "`soon` is not a duration"),
        (json!({ "scope": "instance" }), "unknown variant `instance`"),
        (json!({ "failure_statuses": ["3xx"] }), "400 to 599"),
        (json!({ "failure_threshold": 0 }), "`failure_threshold`"),
        (json!({ "success_threshold": 0 }), "`success_threshold`"),
        (json!({ "max_requests": 0 }), "`max_requests`"),
        (json!({ "failure_threshold": 5_000 }), "`failure_threshold`"),
        (json!({ "failure_rate": 101 }), "`failure_rate`"),
    ] {
        let text: Value = config.clone();
        let error = gateway
            .configure::<CircuitBreaker>(config)
            .map(drop)
            .unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
