//! The circuit breaker: leaves a failing service alone and lets it come back.

use std::time::{Duration, Instant};

use crate::support::{Gateway, Upstream, eventually, one_route};

const BREAKER: &str = "pipeline: [{ plugin: circuit-breaker, config: { failure_threshold: 3, success_threshold: 2, timeout: 2s, max_requests: 1 } }]";

const STATE: &str =
    "portcullis_plugin_circuit_breaker_state{plugin=\"circuit-breaker\",service=\"s\"}";
const CLOSED: f64 = 0.0;
const OPEN: f64 = 2.0;

/// Asks until the breaker has opened; gives the statuses of the service.
fn until_open(gateway: &Gateway) -> Vec<u16> {
    let mut statuses = Vec::new();
    eventually("the breaker opens", || {
        let reply = gateway.get("/a");
        if !reply.header("retry-after").is_empty() {
            return true;
        }
        statuses.push(reply.status.as_u16());
        false
    });
    statuses
}

#[test]
fn opens_on_failures_spares_the_service_and_closes_after_recovery() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(
        &["circuit-breaker"],
        &one_route(&[upstream.address], "", BREAKER),
    );
    assert_eq!(gateway.get("/a").status, 200);

    // Each request comes by a connection of its own, so both workers count.
    upstream.answer_with(500);
    assert_eq!(until_open(&gateway), [500, 500, 500]);
    let opened = Instant::now();
    let hits = upstream.hits();
    assert_eq!(gateway.metric(STATE), Some(OPEN));
    for _ in 0..10 {
        let refused = gateway.get("/a");
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=2).contains(&wait), "{wait}");
    }
    assert_eq!(upstream.hits(), hits, "the service was touched");

    // A trial that fails opens it for another while.
    eventually("a trial", || {
        upstream.hits() > hits || gateway.get("/a").status == 500
    });
    assert!(
        opened.elapsed() >= Duration::from_secs(1),
        "a trial too early"
    );
    let hits = upstream.hits();
    assert_eq!(gateway.get("/a").status, 503);
    assert_eq!(upstream.hits(), hits);

    upstream.answer_with(200);
    eventually("a good trial", || gateway.get("/a").status == 200);
    assert_eq!(gateway.get("/a").status, 200);
    assert_eq!(gateway.metric(STATE), Some(CLOSED));
    for _ in 0..10 {
        assert_eq!(gateway.get("/a").status, 200);
    }
}

#[test]
fn a_service_that_is_gone_opens_it_as_well() {
    let upstream = Upstream::start("a");
    let address = upstream.address;
    drop(upstream);
    let gateway = Gateway::start(&["circuit-breaker"], &one_route(&[address], "", BREAKER));
    assert_eq!(until_open(&gateway), [502, 502, 502]);
    let upstream = Upstream::start_on("a", address);
    eventually("it is tried again", || gateway.get("/a").status == 200);
    assert!(upstream.hits() > 0);
}

#[test]
fn answers_that_are_no_failures_do_not_open_it() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(
        &["circuit-breaker"],
        &one_route(&[upstream.address], "", BREAKER),
    );
    upstream.answer_with(404);
    for _ in 0..10 {
        assert_eq!(gateway.get("/a").status, 404);
    }
    upstream.answer_with(500);
    for _ in 0..2 {
        assert_eq!(gateway.get("/a").status, 500);
    }
    upstream.answer_with(200);
    assert_eq!(
        gateway.get("/a").status,
        200,
        "a success begins the count anew"
    );
    upstream.answer_with(500);
    assert_eq!(until_open(&gateway), [500, 500, 500]);
}
