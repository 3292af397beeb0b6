//! Authorization by a service, as the gateway meets it.

#![expect(
    clippy::unwrap_used,
    reason = "a test may unwrap, and so may its helpers"
)]

mod bodies;
mod cache;
mod configuration;
mod decisions;
mod schema;

use ext_auth::ExtAuth;
use portcullis_sdk::testing::*;
use serde_json::Value;

/// A step that asks `https://auth.example.com/check`, with these other settings.
fn step(gateway: &Gateway, mut config: Value) -> ExtAuth {
    if config.get("service").is_none() {
        config["url"] = "https://auth.example.com/check".into();
    }
    gateway.configure(config).unwrap()
}

/// Runs a request through a step whose question is answered so.
fn run(config: Value, request: Request, answer: HttpResponse) -> (Gateway, TestExchange, Reply) {
    let gateway = Gateway::new();
    gateway.on_http(move |_| answer.clone());
    let mut step = step(&gateway, config);
    let exchange = gateway.exchange(request);
    let reply = exchange.run_request(&mut step);
    (gateway, exchange, reply)
}

/// The one question that was asked.
fn question(gateway: &Gateway) -> HttpRequest {
    let asked = gateway.http_requests();
    let [question] = &asked[..] else {
        panic!("{asked:?}")
    };
    question.clone()
}
