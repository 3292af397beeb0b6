//! Tokens as the gateway meets them. Signatures are real: made here with `ring`,
//! verified by the fake gateway.

#![expect(
    clippy::unwrap_used,
    reason = "a test may unwrap, and so may its helpers"
)]

mod attacks;
mod cache;
mod claims;
mod configuration;
mod issuer;
mod keys;
mod named;
mod paths;
mod places;
mod remote;
mod schema;
mod sources;
mod vectors;
mod world;

use issuer::{Issuer, NOW};
use jwt_auth::JwtAuth;
use portcullis_sdk::testing::*;
use serde_json::Value;

const SECRET: &str = "a secret of the tests, long enough";

/// The configuration of the demonstration, and other settings over it.
fn demo(settings: Value) -> Value {
    let mut config = json!({ "algorithms": ["HS256"], "secret": SECRET, "issuer": "example" });
    for (key, value) in settings.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

/// Claims that the demonstration accepts, and others over them; null removes.
fn claims(others: Value) -> Value {
    let mut claims = json!({ "iss": "example", "sub": "ann", "exp": NOW + 60 });
    for (name, value) in others.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}

/// The token that the demonstration's issuer gives for these claims.
fn token(others: Value) -> String {
    Issuer::hs256(SECRET).token(&claims(others))
}

/// A step of this configuration.
fn step(gateway: &Gateway, config: Value) -> JwtAuth {
    gateway.configure(config).unwrap()
}

/// A request with a token.
fn bearer(token: impl std::fmt::Display) -> Request {
    Request::get("/users").header("authorization", format!("Bearer {token}"))
}

/// Runs a request through a step of this configuration.
fn run(config: Value, request: Request) -> (TestExchange, Reply) {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config);
    let exchange = gateway.exchange(request);
    let reply = exchange.run_request(&mut step);
    (exchange, reply)
}

/// The exchange of a request that must pass.
#[track_caller]
fn passed(config: Value, request: Request) -> TestExchange {
    let (exchange, reply) = run(config, request);
    assert_eq!(reply, Reply::Next);
    exchange
}

/// The answer to a request that must not pass.
#[track_caller]
fn refused(config: Value, request: Request) -> Answer {
    match run(config, request).1 {
        Reply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Why a token is refused: the `detail` of a 401.
#[track_caller]
fn reason(config: Value, request: Request) -> String {
    let answer = refused(config, request);
    assert_eq!(answer.status(), 401);
    let challenge = answer.header_text("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer realm=\"portcullis\", error=\"invalid_token\", "),
        "{challenge}"
    );
    let body: Value = serde_json::from_slice(answer.body_bytes()).unwrap();
    body["detail"].as_str().unwrap().to_owned()
}
