//! The breaker as the gateway runs it: hooks, shared counters, the clock.

#![expect(
    clippy::unwrap_used,
    reason = "a test may unwrap, and so may its helpers"
)]

mod breaker;
mod concurrency;
mod configuration;
mod schema;

use circuit_breaker::CircuitBreaker;
use portcullis_sdk::testing::*;
use serde_json::Value;

/// A step of this configuration.
fn step(gateway: &Gateway, config: Value) -> CircuitBreaker {
    gateway.configure(config).unwrap()
}

/// A request on its way to a service.
fn request(gateway: &Gateway) -> TestExchange {
    gateway.exchange(Request::get("/").route("users").service("users"))
}

/// A request that must pass.
fn passed(gateway: &Gateway, step: &mut CircuitBreaker) -> TestExchange {
    let exchange = request(gateway);
    assert_eq!(exchange.run_request(step), Reply::Next);
    exchange
}

/// The seconds after which a request that must be refused may come back.
fn refused(gateway: &Gateway, step: &mut CircuitBreaker) -> u64 {
    let Reply::Answer(answer) = request(gateway).run_request(step) else {
        panic!("the request passed");
    };
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.header_text("content-type"),
        Some("application/problem+json")
    );
    answer.header_text("retry-after").unwrap().parse().unwrap()
}

/// An answer of the service.
fn answered(status: u16) -> Outcome {
    Outcome {
        status,
        forwarded: true,
        attempts: 1,
        ..Outcome::default()
    }
}

/// An exchange that failed.
fn failed(failure: Failure, status: u16) -> Outcome {
    Outcome {
        failure,
        ..answered(status)
    }
}

/// Sends a request that must pass and ends like this.
fn send(gateway: &Gateway, step: &mut CircuitBreaker, outcome: Outcome) {
    passed(gateway, step).run_completion(step, outcome);
}

/// Opens the breaker with so many failures.
fn open(gateway: &Gateway, step: &mut CircuitBreaker, failures: u32) {
    for _ in 0..failures {
        send(gateway, step, answered(503));
    }
    refused(gateway, step);
}

/// The gauge of the service's breaker.
fn gauge(gateway: &Gateway) -> Option<f64> {
    gateway.metric("circuit_breaker_state", [("service", "users")])
}
