//! Goes often enough along the paths whose instructions are counted. Run under
//! `valgrind --tool=callgrind` by `cargo xtask bench instructions`, which finds
//! each path by the name of its function here.
//!
//! The plugins are compiled once and kept in the directory that is the only
//! argument.

use std::{env, hint::black_box, path::Path};

use benches::{Bench, Fresh, SECRET, exchange, probe};
use http::{HeaderMap, Method};
use portcullis::{
    exchange::{Exchange, Outcome, Phase},
    plugin::Instance,
    router::{Found, Router},
};
use serde_json::json;

/// How often each path is gone. `xtask` divides by the same number.
const TIMES: usize = 1_000;

fn main() {
    let cache = env::args()
        .nth(1)
        .expect("a directory for compiled plugins");
    let bench = Bench::portable(Path::new(&cache));
    let token = format!("Bearer {}", benches::token(SECRET));
    let mut exchange = exchange();
    let token = token.parse().expect("a header value");
    exchange.headers.insert("authorization", token);

    path_empty_call(&mut bench.instance("probe", &json!({})), &mut exchange);
    let read_and_set = probe("x-filter-1");
    path_read_and_set(&mut bench.instance("probe", &read_and_set), &mut exchange);
    let config = json!({ "algorithms": ["HS256"], "secret": SECRET, "issuer": "example" });
    path_jwt_auth(&mut bench.instance("jwt-auth", &config), &mut exchange);
    let config = json!({ "requests": 1_000_000_000, "per": "1s" });
    path_rate_limit(&mut bench.instance("rate-limit", &config), &mut exchange);
    let config = json!({ "failure_threshold": 5 });
    path_circuit_breaker(
        &mut bench.instance("circuit-breaker", &config),
        &mut exchange,
    );
    let mut balancer = bench.instance("round-robin", &json!({}));
    let list = benches::instances(100);
    balancer.instances_changed(&list).expect("a list");
    path_round_robin(&mut balancer, &mut exchange);
    let router = benches::router(1_000);
    path_route_literal(&router);
    path_route_parameter(&router);
}

/// Calls the request hook until everything is warm, and then so often that one
/// call more or less does not matter.
fn requests(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    let mut fresh = Fresh::of(exchange);
    for _ in 0..TIMES {
        fresh.restore(exchange);
        let verdict = instance.on_request(exchange).expect("a verdict");
        black_box(verdict);
    }
    fresh.restore(exchange);
}

#[inline(never)]
fn path_empty_call(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    requests(instance, exchange);
}

#[inline(never)]
fn path_read_and_set(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    requests(instance, exchange);
}

#[inline(never)]
fn path_jwt_auth(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    requests(instance, exchange);
}

#[inline(never)]
fn path_rate_limit(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    requests(instance, exchange);
}

#[inline(never)]
fn path_circuit_breaker(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    let outcome = Outcome {
        status: 200,
        forwarded: true,
        attempts: 1,
        ..Outcome::default()
    };
    for _ in 0..TIMES {
        instance.on_request(exchange).expect("a verdict");
        exchange.phase = Phase::Complete;
        instance
            .on_completion(exchange, &outcome)
            .expect("no failure");
        exchange.phase = Phase::Request;
    }
}

#[inline(never)]
fn path_round_robin(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    exchange.phase = Phase::Upstream;
    for _ in 0..TIMES {
        black_box(instance.pick(exchange, 0).expect("a pick"));
    }
    exchange.phase = Phase::Request;
}

#[inline(never)]
fn path_route_literal(router: &Router) {
    find(router, "/service-999/status");
}

#[inline(never)]
fn path_route_parameter(router: &Router) {
    find(router, "/service-999/users/42");
}

fn find(router: &Router, path: &str) {
    let headers = HeaderMap::new();
    for _ in 0..TIMES {
        let path = black_box(path);
        let found = router.find(&Method::GET, "api.example.com", path, None, &headers);
        assert!(matches!(found, Found::Route { .. }));
    }
}
