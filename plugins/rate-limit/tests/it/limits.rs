//! How many pass, and what is answered to the others.

use std::time::Duration;

use portcullis_sdk::testing::*;

use crate::*;

#[test]
fn a_token_bucket_lets_a_burst_pass_and_then_its_rate() {
    let gateway = Gateway::new();
    let config = json!({ "algorithm": "token_bucket", "requests": 100, "per": "1s", "burst": 200, "key": "client_ip" });
    let mut step = step(&gateway, config);
    assert_eq!(passing(&gateway, &mut step, 300), 200);
    gateway.advance(Duration::from_millis(100));
    assert_eq!(passing(&gateway, &mut step, 300), 10);
    gateway.advance(Duration::from_secs(60));
    assert_eq!(passing(&gateway, &mut step, 300), 200);
}

#[test]
fn windows_let_exactly_their_limit_pass() {
    for algorithm in ["sliding_window", "fixed_window"] {
        let gateway = Gateway::new();
        let config = json!({ "algorithm": algorithm, "requests": 1_000, "per": "1h" });
        let mut one = step(&gateway, config.clone());
        let mut two = step(&gateway, config);
        let passed: u32 = (0..700)
            .map(|_| passing(&gateway, &mut one, 1) + passing(&gateway, &mut two, 1))
            .sum();
        assert_eq!(passed, 1_000, "{algorithm}");
    }
}

#[test]
fn a_sliding_window_has_no_edge_and_a_fixed_window_has() {
    for (algorithm, expected) in [("sliding_window", 50), ("fixed_window", 100)] {
        let gateway = Gateway::new();
        let mut step = step(
            &gateway,
            json!({ "algorithm": algorithm, "requests": 100, "per": "1m" }),
        );
        gateway.advance(Duration::from_secs(59));
        assert_eq!(passing(&gateway, &mut step, 200), 100);
        gateway.advance(Duration::from_secs(31));
        assert_eq!(passing(&gateway, &mut step, 200), expected, "{algorithm}");
    }
}

#[test]
fn the_answer_says_when_to_come_back() {
    let gateway = Gateway::new();
    let config = json!({ "algorithm": "token_bucket", "requests": 1, "per": "90s" });
    let mut step = step(&gateway, config);
    assert_eq!(passing(&gateway, &mut step, 1), 1);
    gateway.advance(Duration::from_millis(500));
    let answer = refused(&gateway, &mut step);
    assert_eq!(answer.status(), 429);
    assert_eq!(
        answer.header_text("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        answer.header_text("retry-after"),
        Some("90"),
        "89.5 s, rounded up"
    );
    assert_eq!(
        answer.header_text("ratelimit-policy"),
        Some("\"default\";q=1;w=90")
    );
    assert_eq!(
        answer.header_text("ratelimit"),
        Some("\"default\";r=0;t=90")
    );
    let body: Value = serde_json::from_slice(answer.body_bytes()).unwrap();
    assert_eq!(body["title"], "Too Many Requests");
    assert_eq!(body["status"], 429);
    // Whoever comes back then is let in.
    gateway.advance(Duration::from_secs(90));
    assert_eq!(passing(&gateway, &mut step, 1), 1);
    let labels = [("limit", "default"), ("route", "users")];
    assert_eq!(
        gateway.metric("rate_limit_refused_total", labels),
        Some(1.0)
    );
}

#[test]
fn retry_after_is_at_least_a_second() {
    let gateway = Gateway::new();
    let mut step = step(
        &gateway,
        json!({ "algorithm": "token_bucket", "requests": 1_000, "per": "1s", "burst": 1 }),
    );
    assert_eq!(passing(&gateway, &mut step, 1), 1);
    assert_eq!(
        refused(&gateway, &mut step).header_text("retry-after"),
        Some("1")
    );
}

#[test]
fn the_status_is_chosen_and_fields_are_left_out_if_asked() {
    let gateway = Gateway::new();
    let mut step = step(
        &gateway,
        json!({ "algorithm": "fixed_window", "requests": 1, "per": "1h", "status": 503, "headers": false }),
    );
    let exchange = gateway.exchange(from("10.0.0.9"));
    assert_eq!(exchange.run_request(&mut step), Reply::Next);
    exchange.respond_from_upstream(200, []);
    assert_eq!(exchange.run_response(&mut step), Reply::Next);
    assert_eq!(exchange.response_header("ratelimit"), None);
    let answer = refused(&gateway, &mut step);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.header_text("retry-after"), Some("3600"));
    assert_eq!(answer.header_text("ratelimit"), None);
    assert_eq!(answer.header_text("ratelimit-policy"), None);
}

#[test]
fn responses_say_what_is_left_when_the_request_came() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "requests": 100, "per": "60s" }));
    gateway.advance(Duration::from_secs(30));
    let exchanges = [(); 2].map(|()| gateway.exchange(from("10.0.0.9")));
    for exchange in &exchanges {
        assert_eq!(exchange.run_request(&mut step), Reply::Next);
    }
    // Responses come in any order: each tells of its own request.
    for (exchange, expected) in [
        (&exchanges[1], "\"default\";r=98;t=30"),
        (&exchanges[0], "\"default\";r=99;t=30"),
    ] {
        exchange.respond_from_upstream(200, []);
        assert_eq!(exchange.run_response(&mut step), Reply::Next);
        assert_eq!(
            exchange.response_header("ratelimit").as_deref(),
            Some(expected)
        );
        assert_eq!(
            exchange.response_header("ratelimit-policy").as_deref(),
            Some("\"default\";q=100;w=60")
        );
    }
}

#[test]
fn two_steps_of_a_pipeline_each_tell_of_their_limit() {
    let gateway = Gateway::new();
    let mut outer = step(&gateway, json!({ "requests": 100, "per": "60s" }));
    let mut inner = step(
        &gateway,
        json!({ "limits": [{ "name": "inner", "requests": 5, "per": "60s" }] }),
    );
    let exchange = gateway.exchange(from("10.0.0.9"));
    exchange.run_request(&mut outer);
    exchange.run_request(&mut inner);
    exchange.respond_from_upstream(200, [("ratelimit", "\"service\";r=1;t=1")]);
    exchange.run_response(&mut inner);
    exchange.run_response(&mut outer);
    assert_eq!(
        exchange.response_header_values("ratelimit"),
        [
            "\"service\";r=1;t=1",
            "\"inner\";r=4;t=60",
            "\"default\";r=99;t=60"
        ]
    );
}

#[test]
fn the_429_of_another_is_left_as_it_is() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "requests": 100, "per": "60s" }));
    let exchange = gateway.exchange(from("10.0.0.9"));
    exchange.run_request(&mut step);
    exchange.respond_from_upstream(429, [("retry-after", "7")]);
    assert_eq!(exchange.run_response(&mut step), Reply::Next);
    assert_eq!(exchange.response_status(), Some(429));
    assert_eq!(exchange.response_header_values("retry-after"), ["7"]);
}

#[test]
fn a_response_to_a_request_that_was_never_counted_is_left_alone() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "requests": 100, "per": "60s" }));
    let exchange = gateway.exchange(from("10.0.0.9"));
    exchange.respond_from_upstream(401, []);
    assert_eq!(exchange.run_response(&mut step), Reply::Next);
    assert_eq!(exchange.response_header("ratelimit"), None);
}

fn minute_and_hour() -> Value {
    json!({ "limits": [
        { "name": "minute", "requests": 100, "per": "1m", "algorithm": "fixed_window" },
        { "name": "hour", "requests": 250, "per": "1h", "algorithm": "fixed_window" },
    ] })
}

#[test]
fn of_several_limits_all_hold() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, minute_and_hour());
    for expected in [100, 100, 50, 0] {
        assert_eq!(passing(&gateway, &mut step, 150), expected);
        gateway.advance(Duration::from_secs(60));
    }
    // Requests that the hour refused were not charged to the minute.
    gateway.advance(Duration::from_secs(3_600 - 4 * 60));
    assert_eq!(passing(&gateway, &mut step, 150), 100);
}

#[test]
fn what_a_later_limit_refuses_is_given_back_to_the_earlier() {
    for algorithm in ["token_bucket", "fixed_window", "sliding_window"] {
        let gateway = Gateway::new();
        let mut step = step(
            &gateway,
            json!({ "limits": [
            { "name": "all", "requests": 10, "per": "1h", "algorithm": algorithm, "key": "route" },
            { "name": "each", "requests": 3, "per": "1h", "algorithm": algorithm },
        ] }),
        );
        let answer = |gateway: &Gateway, step: &mut _| match gateway
            .exchange(from("10.0.0.1"))
            .run_request(step)
        {
            Reply::Answer(answer) => Some(answer),
            _ => None,
        };
        for _ in 0..50 {
            let _passes_or_not = answer(&gateway, &mut step);
        }
        let refused = answer(&gateway, &mut step).unwrap();
        let state = refused.header_text("ratelimit").unwrap();
        assert!(state.starts_with("\"all\";r=7;"), "{algorithm}: {state}");
        assert!(state.contains("\"each\";r=0;"), "{algorithm}: {state}");
        let others: u32 = (0..50)
            .map(|n| u32::from(passes(&gateway, &mut step, from(&format!("10.0.1.{n}")))))
            .sum();
        assert_eq!(others, 7, "{algorithm}");
    }
}

#[test]
fn of_several_limits_that_refuse_the_longest_wait_is_told() {
    let gateway = Gateway::new();
    for algorithm in ["token_bucket", "fixed_window", "sliding_window"] {
        let mut step = step(
            &gateway,
            json!({ "name": algorithm, "algorithm": algorithm, "limits": [
            { "name": "second", "requests": 1, "per": "1s" },
            { "name": "hour", "requests": 1, "per": "1h" },
        ] }),
        );
        assert_eq!(passing(&gateway, &mut step, 1), 1);
        let answer = refused(&gateway, &mut step);
        assert_eq!(
            answer.header_text("retry-after"),
            Some("3600"),
            "{algorithm}"
        );
        let state = answer.header_text("ratelimit").unwrap();
        assert_eq!(
            state, "\"second\";r=0;t=1, \"hour\";r=0;t=3600",
            "{algorithm}"
        );
    }
}

#[test]
fn a_request_may_cost_more_than_one() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "requests": 10, "per": "1h", "cost": 4 }));
    assert_eq!(passing(&gateway, &mut step, 5), 2);
}

#[test]
fn an_exchange_full_of_attributes_still_passes() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, json!({ "requests": 10, "per": "1h" }));
    let full = (0..64).fold(from("10.0.0.9"), |request, n| {
        request.attribute(&format!("a{n}"), "x")
    });
    let exchange = gateway.exchange(full);
    assert_eq!(exchange.run_request(&mut step), Reply::Next);
    exchange.respond_from_upstream(200, []);
    assert_eq!(exchange.run_response(&mut step), Reply::Next);
}
