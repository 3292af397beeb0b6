//! What opens the breaker, what closes it, what it answers and shows.

use std::time::Duration;

use portcullis_sdk::testing::*;

use crate::*;

fn demo() -> Value {
    json!({ "failure_threshold": 5, "success_threshold": 3, "timeout": "60s", "max_requests": 1 })
}

#[test]
fn it_opens_at_its_threshold_and_closes_after_recovery() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo());
    for _ in 0..4 {
        send(&gateway, &mut step, answered(500));
    }
    assert_eq!(gauge(&gateway), Some(0.0));
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(2.0));
    assert_eq!(refused(&gateway, &mut step), 60);

    gateway.advance(Duration::from_millis(58_500));
    assert_eq!(
        refused(&gateway, &mut step),
        2,
        "1.5 s are left, rounded up"
    );

    gateway.advance(Duration::from_millis(1_500));
    for _ in 0..3 {
        assert!(gauge(&gateway) > Some(0.0));
        send(&gateway, &mut step, answered(200));
    }
    assert_eq!(gauge(&gateway), Some(0.0));
    let transitions = ["open", "half_open", "closed"].map(|to| {
        gateway.metric(
            "circuit_breaker_transitions_total",
            [("service", "users"), ("to", to)],
        )
    });
    assert_eq!(transitions, [Some(1.0), Some(1.0), Some(1.0)]);
    assert_eq!(
        gateway.metric("circuit_breaker_refused_total", [("service", "users")]),
        Some(2.0)
    );
}

#[test]
fn a_failed_trial_opens_again_for_the_whole_time() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo());
    open(&gateway, &mut step, 5);
    for _ in 0..3 {
        gateway.advance(Duration::from_secs(60));
        send(&gateway, &mut step, answered(200));
        assert_eq!(gauge(&gateway), Some(1.0));
        send(&gateway, &mut step, failed(Failure::Timeout, 504));
        assert_eq!(gauge(&gateway), Some(2.0));
        assert_eq!(refused(&gateway, &mut step), 60);
    }
}

#[test]
fn a_success_in_between_keeps_it_closed() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, demo());
    for _ in 0..20 {
        for _ in 0..4 {
            send(&gateway, &mut step, answered(502));
        }
        send(&gateway, &mut step, answered(200));
    }
    assert_eq!(gauge(&gateway), Some(0.0));
}

#[test]
fn failures_far_apart_are_not_in_a_row() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 2, "window": "10s" }));
    for _ in 0..5 {
        send(&gateway, &mut step, answered(502));
        gateway.advance(Duration::from_millis(10_001));
    }
    assert_eq!(gauge(&gateway), Some(0.0));
    send(&gateway, &mut step, answered(502));
    gateway.advance(Duration::from_secs(10));
    send(&gateway, &mut step, answered(502));
    assert_eq!(gauge(&gateway), Some(2.0));
}

#[test]
fn only_what_the_service_did_counts() {
    let bad = [
        answered(500),
        answered(503),
        answered(599),
        failed(Failure::Upstream, 502),
        failed(Failure::Timeout, 504),
        // Nothing was reached, and that is the service's failure.
        Outcome {
            forwarded: false,
            ..failed(Failure::Connect, 502)
        },
    ];
    let unknown = [
        failed(Failure::Client, 0),
        failed(Failure::Client, 502),
        Outcome {
            forwarded: false,
            ..failed(Failure::Filter, 503)
        },
        failed(Failure::Filter, 500),
        Outcome {
            forwarded: false,
            ..failed(Failure::Unavailable, 503)
        },
        // A later filter answered.
        Outcome {
            forwarded: false,
            ..answered(503)
        },
    ];
    let good = [answered(200), answered(304), answered(404), answered(429)];
    for (outcomes, gauge_after, name) in [
        (&bad[..], 2.0, "bad"),
        (&unknown, 0.0, "unknown"),
        (&good, 0.0, "good"),
    ] {
        for outcome in outcomes {
            let gateway = Gateway::new();
            let mut step = step(&gateway, json!({ "failure_threshold": 1 }));
            send(&gateway, &mut step, *outcome);
            assert_eq!(gauge(&gateway), Some(gauge_after), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn what_says_nothing_does_not_break_a_row_of_failures() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 2 }));
    send(&gateway, &mut step, answered(503));
    send(&gateway, &mut step, failed(Failure::Client, 0));
    send(&gateway, &mut step, answered(503));
    assert_eq!(gauge(&gateway), Some(2.0));
}

#[test]
fn failure_statuses_are_chosen() {
    let gateway = Gateway::new();
    let config = json!({ "failure_threshold": 1, "failure_statuses": [429, 503] });
    let mut step = step(&gateway, config);
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(0.0));
    send(&gateway, &mut step, answered(429));
    assert_eq!(gauge(&gateway), Some(2.0));
}

#[test]
fn it_opens_at_a_failure_rate_once_there_are_enough_requests() {
    let gateway = Gateway::new();
    let config = json!({ "failure_rate": 50, "window": "10s", "minimum_requests": 10 });
    let mut step = step(&gateway, config);
    // Every second request fails: never two in a row, and half of them.
    for _ in 0..4 {
        send(&gateway, &mut step, answered(200));
        send(&gateway, &mut step, answered(500));
    }
    send(&gateway, &mut step, answered(200));
    assert_eq!(gauge(&gateway), Some(0.0), "nine requests are too few");
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(2.0));
}

#[test]
fn a_failure_rate_forgets_what_is_older_than_its_window() {
    let gateway = Gateway::new();
    let config = json!({ "failure_rate": 50, "window": "10s", "minimum_requests": 4 });
    let mut step = step(&gateway, config);
    for _ in 0..3 {
        send(&gateway, &mut step, answered(500));
    }
    gateway.advance(Duration::from_secs(20));
    for _ in 0..3 {
        send(&gateway, &mut step, answered(200));
    }
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(0.0));
}

#[test]
fn a_rate_alone_ignores_rows_and_both_may_be_asked_for() {
    for (config, expected) in [
        (json!({ "failure_rate": 90, "minimum_requests": 100 }), 0.0),
        (
            json!({ "failure_rate": 90, "minimum_requests": 100, "failure_threshold": 5 }),
            2.0,
        ),
    ] {
        let gateway = Gateway::new();
        let mut step = step(&gateway, config);
        for _ in 0..5 {
            send(&gateway, &mut step, answered(500));
        }
        assert_eq!(gauge(&gateway), Some(expected));
    }
}

#[test]
fn services_have_breakers_of_their_own_and_routes_share_them() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 1 }));
    send(&gateway, &mut step, answered(500));
    for (route, service, passes) in [
        ("users", "users", false),
        ("other", "users", false),
        ("users", "orders", true),
    ] {
        let exchange = gateway.exchange(Request::get("/").route(route).service(service));
        assert_eq!(
            exchange.run_request(&mut step) == Reply::Next,
            passes,
            "{route} {service}"
        );
    }
}

#[test]
fn routes_have_breakers_of_their_own_if_asked() {
    let gateway = Gateway::new();
    let mut step = step(
        &gateway,
        json!({ "failure_threshold": 1, "scope": "route" }),
    );
    send(&gateway, &mut step, answered(500));
    let state = gateway.metric("circuit_breaker_state", [("route", "users")]);
    assert_eq!(state, Some(2.0));
    for (route, service, passes) in [("users", "orders", false), ("other", "users", true)] {
        let exchange = gateway.exchange(Request::get("/").route(route).service(service));
        assert_eq!(
            exchange.run_request(&mut step) == Reply::Next,
            passes,
            "{route} {service}"
        );
    }
}

#[test]
fn a_request_without_a_service_meets_its_routes_breaker() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 1 }));
    let exchange = gateway.exchange(Request::get("/").route("split"));
    assert_eq!(exchange.run_request(&mut step), Reply::Next);
    exchange.run_completion(&mut step, answered(500));
    assert_eq!(
        gateway.metric("circuit_breaker_state", [("route", "split")]),
        Some(2.0)
    );
}

#[test]
fn an_outcome_counts_for_the_service_that_the_request_was_let_through_for() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 1 }));
    let exchange = passed(&gateway, &mut step);
    // A later filter, such as traffic-split, sends it elsewhere.
    exchange
        .with(|exchange| exchange.set_service("users-v2"))
        .unwrap();
    exchange.run_completion(&mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(2.0));
    assert_eq!(
        gateway.metric("circuit_breaker_state", [("service", "users-v2")]),
        None
    );
}

#[test]
fn very_long_names_are_no_failure() {
    let gateway = Gateway::new();
    let mut step = step(
        &gateway,
        json!({ "failure_threshold": 1, "failure_rate": 1, "scope": "route" }),
    );
    let name = "r".repeat(1_000);
    let exchange = gateway.exchange(Request::get("/").route(&name));
    assert_eq!(exchange.run_request(&mut step), Reply::Next);
    exchange.run_completion(&mut step, answered(500));
    let exchange = gateway.exchange(Request::get("/").route(&name));
    assert!(exchange.run_request(&mut step).answer().is_some());
}

#[test]
fn the_answer_says_nothing_of_services() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "failure_threshold": 1 }));
    open(&gateway, &mut step, 1);
    let reply = request(&gateway).run_request(&mut step);
    let body: Value = serde_json::from_slice(reply.answer().unwrap().body_bytes()).unwrap();
    assert_eq!(body["status"], 503);
    assert_eq!(body["title"], "Service Unavailable");
    assert_eq!(
        body["detail"],
        "the service is failing and is given time to recover"
    );
}
