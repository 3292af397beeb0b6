//! Interleavings of requests and workers. A second instance of the plugin stands
//! for a second worker: both see the same counters.

use std::time::Duration;

use portcullis_sdk::testing::*;

use crate::*;

fn config(trials: u16) -> Value {
    json!({
        "failure_threshold": 3, "success_threshold": 2, "timeout": "60s",
        "max_requests": trials, "trial_timeout": "30s",
    })
}

#[test]
fn workers_share_one_breaker() {
    let gateway = Gateway::new();
    let mut one = step(&gateway, config(1));
    let mut two = step(&gateway, config(1));
    send(&gateway, &mut one, answered(500));
    send(&gateway, &mut two, answered(500));
    send(&gateway, &mut one, answered(500));
    assert_eq!(refused(&gateway, &mut two), 60);
    gateway.advance(Duration::from_secs(60));
    let trial = passed(&gateway, &mut two);
    assert_eq!(
        refused(&gateway, &mut one),
        1,
        "the trial of the other worker is under way"
    );
    trial.run_completion(&mut two, answered(200));
    send(&gateway, &mut one, answered(200));
    assert_eq!(gauge(&gateway), Some(0.0));
}

#[test]
fn at_most_so_many_trials_are_under_way() {
    for trials in [1, 2, 5] {
        let gateway = Gateway::new();
        let mut step = step(&gateway, config(trials));
        open(&gateway, &mut step, 3);
        gateway.advance(Duration::from_secs(60));
        let mut under_way: Vec<_> = (0..trials).map(|_| passed(&gateway, &mut step)).collect();
        assert_eq!(refused(&gateway, &mut step), 1);
        // One that says nothing gives its place back.
        under_way
            .remove(0)
            .run_completion(&mut step, failed(Failure::Client, 0));
        under_way.push(passed(&gateway, &mut step));
        refused(&gateway, &mut step);
    }
}

#[test]
fn a_trial_that_is_never_heard_of_again_gives_its_place_back_in_time() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(1));
    open(&gateway, &mut step, 3);
    gateway.advance(Duration::from_secs(60));
    let lost = passed(&gateway, &mut step);
    gateway.advance(Duration::from_millis(29_999));
    refused(&gateway, &mut step);
    gateway.advance(Duration::from_millis(1));
    let next = passed(&gateway, &mut step);
    // If it comes back after all, it does not free the place of the next.
    lost.run_completion(&mut step, failed(Failure::Client, 0));
    refused(&gateway, &mut step);
    next.run_completion(&mut step, answered(200));
    passed(&gateway, &mut step);
}

#[test]
fn requests_from_before_it_opened_do_not_count_as_trials() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(1));
    let late: Vec<_> = (0..6).map(|_| passed(&gateway, &mut step)).collect();
    open(&gateway, &mut step, 3);
    // While open they neither open it again nor close it.
    late[0].run_completion(&mut step, answered(500));
    late[1].run_completion(&mut step, answered(200));
    assert_eq!(gauge(&gateway), Some(2.0));
    gateway.advance(Duration::from_secs(60));
    let trial = passed(&gateway, &mut step);
    late[2].run_completion(&mut step, answered(200));
    late[3].run_completion(&mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(1.0));
    refused(&gateway, &mut step);
    trial.run_completion(&mut step, answered(200));
    send(&gateway, &mut step, answered(200));
    // Nor once it is closed again.
    late[4].run_completion(&mut step, answered(500));
    late[5].run_completion(&mut step, answered(500));
    send(&gateway, &mut step, answered(500));
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(0.0));
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(2.0));
}

#[test]
fn a_trial_whose_sibling_failed_first_does_not_count() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(3));
    open(&gateway, &mut step, 3);
    gateway.advance(Duration::from_secs(60));
    let trials = [(); 3].map(|()| passed(&gateway, &mut step));
    trials[0].run_completion(&mut step, answered(500));
    trials[1].run_completion(&mut step, answered(200));
    trials[2].run_completion(&mut step, answered(200));
    assert_eq!(gauge(&gateway), Some(2.0));
    assert_eq!(refused(&gateway, &mut step), 60);
    // Their places are free again when it is half-open the next time.
    gateway.advance(Duration::from_secs(60));
    let _again = [(); 3].map(|()| passed(&gateway, &mut step));
    refused(&gateway, &mut step);
}

#[test]
fn a_trial_that_fails_after_its_siblings_closed_the_breaker_does_not_count() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(3));
    open(&gateway, &mut step, 3);
    gateway.advance(Duration::from_secs(60));
    let trials = [(); 3].map(|()| passed(&gateway, &mut step));
    trials[0].run_completion(&mut step, answered(200));
    trials[1].run_completion(&mut step, answered(200));
    assert_eq!(gauge(&gateway), Some(0.0));
    trials[2].run_completion(&mut step, answered(500));
    send(&gateway, &mut step, answered(500));
    send(&gateway, &mut step, answered(500));
    assert_eq!(gauge(&gateway), Some(0.0), "two failures since it closed");
}

#[test]
fn what_it_refused_itself_says_nothing() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(1));
    open(&gateway, &mut step, 3);
    let exchange = request(&gateway);
    assert!(exchange.run_request(&mut step).answer().is_some());
    gateway.advance(Duration::from_secs(60));
    let _trial = passed(&gateway, &mut step);
    let outcome = Outcome {
        forwarded: false,
        ..failed(Failure::Filter, 503)
    };
    exchange.run_completion(&mut step, outcome);
    refused(&gateway, &mut step);
    assert_eq!(gauge(&gateway), Some(1.0));
}

#[test]
fn a_closed_breaker_without_failures_writes_nothing() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(1));
    for _ in 0..10 {
        send(&gateway, &mut step, answered(200));
    }
    gateway.exchange(Request::get("/")).with(|_| {
        assert_eq!(portcullis_sdk::counters::get("state|service:users"), None);
    });
}

#[test]
fn an_idle_breaker_stays_open_until_its_time_and_is_forgotten_after_a_day() {
    let gateway = Gateway::new();
    let mut step = step(&gateway, config(1));
    open(&gateway, &mut step, 3);
    gateway.advance(Duration::from_secs(3_600));
    let trial = passed(&gateway, &mut step);
    assert_eq!(gauge(&gateway), Some(1.0));
    trial.run_completion(&mut step, answered(500));
    gateway.advance(Duration::from_secs(86_400 + 60));
    let _first = passed(&gateway, &mut step);
    let _second = passed(&gateway, &mut step);
}
