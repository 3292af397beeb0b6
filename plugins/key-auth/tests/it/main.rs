//! API keys as the gateway meets them.

#![expect(
    clippy::unwrap_used,
    reason = "a test may unwrap, and so may its helpers"
)]

mod authentication;
mod configuration;
mod schema;

use key_auth::KeyAuth;
use portcullis_sdk::testing::*;
use serde_json::Value;

/// Ann with two keys, in two groups; Bob with one, in none.
fn consumers() -> Value {
    json!([
        { "name": "ann", "groups": ["staff", "admins"], "keys": ["ann-secret-1", "ann-secret-2"] },
        { "name": "bob", "key": "bob-secret-1" },
    ])
}

/// A step with those consumers and these other settings.
fn step(gateway: &Gateway, mut config: Value) -> KeyAuth {
    config["consumers"] = consumers();
    gateway.configure(config).unwrap()
}

/// Runs a request through a step.
fn run(step_config: Value, request: Request) -> (TestExchange, Reply) {
    let gateway = Gateway::new();
    let mut step = step(&gateway, step_config);
    let exchange = gateway.exchange(request);
    let reply = exchange.run_request(&mut step);
    (exchange, reply)
}

/// The answer to a request that must not pass.
fn answer(step_config: Value, request: Request) -> Answer {
    match run(step_config, request).1 {
        Reply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}
