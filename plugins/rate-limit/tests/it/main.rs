//! The limiter as the gateway runs it: hooks, shared counters, the clock.

#![expect(
    clippy::unwrap_used,
    reason = "a test may unwrap, and so may its helpers"
)]

mod configuration;
mod keys;
mod limits;
mod schema;

use portcullis_sdk::testing::*;
use rate_limit::RateLimit;
use serde_json::Value;

/// A step of this configuration.
fn step(gateway: &Gateway, config: Value) -> RateLimit {
    gateway.configure(config).unwrap()
}

/// A request from this address.
fn from(address: &str) -> Request {
    Request::get("/").route("users").client(address)
}

/// Whether a request passes.
fn passes(gateway: &Gateway, step: &mut RateLimit, request: Request) -> bool {
    match gateway.exchange(request).run_request(step) {
        Reply::Next => true,
        Reply::Answer(answer) => {
            assert_eq!(answer.status(), 429);
            false
        }
        Reply::Failed(text) => panic!("{text}"),
    }
}

/// How many of so many requests from one address pass.
fn passing(gateway: &Gateway, step: &mut RateLimit, requests: u32) -> u32 {
    (0..requests)
        .map(|_| u32::from(passes(gateway, step, from("10.0.0.9"))))
        .sum()
}

/// The answer to a request that must be refused.
fn refused(gateway: &Gateway, step: &mut RateLimit) -> Answer {
    match gateway.exchange(from("10.0.0.9")).run_request(step) {
        Reply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}
