//! What is tried again, what is not, and how often.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Gateway, Scripted, Upstream, eventually, one_route};

/// An upstream that closes each connection after a request's head.
fn breaking() -> Scripted {
    Scripted::start(|mut wire| {
        wire.head();
    })
}

fn gateway(instances: &[SocketAddr], retries: &str) -> Gateway {
    let retries = format!("retries: {{ {retries}, backoff: {{ base: 1ms, max: 5ms }} }}");
    Gateway::start(&[], &one_route(instances, "", &retries))
}

/// More than any test needs.
const BUDGET: &str = "budget: { percent: 100, min_per_second: 1000 }";

#[test]
fn a_killed_instance_costs_no_client_an_error() {
    let mut upstreams = vec![
        Upstream::start("a"),
        Upstream::start("b"),
        Upstream::start("c"),
    ];
    let addresses: Vec<_> = upstreams.iter().map(|u| u.address).collect();
    let gateway = gateway(&addresses, "attempts: 3");
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..75 {
                    assert_eq!(client.get("/a", &[]).status, 200);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        eventually("a third is through", || done.load(Ordering::SeqCst) >= 100);
        drop(upstreams.pop());
    });
    assert_eq!(done.into_inner(), 300);
    assert!(gateway.metric("portcullis_retries_total{route=\"r\"} ") >= Some(1.0));
    // Nor does it after a long time, with no more than the default budget.
    let mut client = gateway.client();
    for _ in 0..300 {
        assert_eq!(client.get("/a", &[]).status, 200);
    }
}

#[test]
fn a_dead_instance_is_asked_no_more_than_its_share() {
    let (dead, alive) = (Upstream::start("dead").address, Upstream::start("alive"));
    let gateway = gateway(&[dead, alive.address], "attempts: 2");
    let mut client = gateway.client();
    for _ in 0..100 {
        assert_eq!(client.get("/a", &[]).status, 200);
    }
    let retries = gateway.metric("portcullis_retries_total{route=\"r\"} ");
    assert_eq!(retries, Some(50.0));
}

#[test]
fn post_is_tried_again_only_if_nothing_was_sent() {
    let refusing = Upstream::start("gone").address;
    let alive = Upstream::start("alive");
    let gateway = gateway(
        &[refusing, alive.address],
        &format!("attempts: 2, {BUDGET}"),
    );
    let mut client = gateway.client();
    for n in 1..=20 {
        let reply = client.send("POST", "/a", &[], "a body");
        assert_eq!(reply.json()["body"], "a body");
        assert_eq!(alive.hits(), n, "once each");
    }
}

#[test]
fn post_is_not_repeated_after_it_was_sent() {
    let breaking = breaking();
    let all = "on: [connect_failure, reset, gateway_error, server_error, timeout]";
    let gateway = gateway(
        &[breaking.address],
        &format!("attempts: 3, {all}, {BUDGET}"),
    );
    let mut client = gateway.client();
    for (method, body) in [
        ("POST", "a body"),
        ("POST", ""),
        ("PATCH", ""),
        ("PUT", "a body"),
    ] {
        let before = breaking.connections();
        assert_eq!(client.send(method, "/a", &[], body).status, 502);
        assert_eq!(breaking.connections() - before, 1, "{method} {body:?}");
    }
    for method in ["GET", "HEAD", "DELETE", "PUT"] {
        let before = breaking.connections();
        assert_eq!(client.send(method, "/a", &[], "").status, 502);
        assert_eq!(breaking.connections() - before, 3, "{method}");
    }
}

#[test]
fn post_survives_a_restart_of_the_upstream() {
    let mut upstream = Upstream::start("before");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let mut client = gateway.client();
    for _ in 0..10 {
        assert_eq!(client.send("POST", "/a", &[], "x").status, 200);
        let address = upstream.address;
        drop(upstream);
        eventually("the gateway sees that its connection is closed", || {
            gateway.metric("portcullis_upstream_connections ") == Some(0.0)
        });
        upstream = Upstream::start_on("after", address);
    }
}

#[test]
fn statuses_are_tried_again_if_they_are_named() {
    let cases = [
        ("gateway_error", 503, true),
        ("gateway_error", 502, true),
        ("gateway_error", 500, false),
        ("server_error", 500, true),
        ("server_error", 404, false),
        ("reset", 503, false),
    ];
    for (on, status, repeated) in cases {
        let (bad, good) = (Upstream::start("bad"), Upstream::start("good"));
        bad.answer_with(status);
        let addresses = [bad.address, good.address];
        let gateway = gateway(&addresses, &format!("attempts: 2, on: [{on}], {BUDGET}"));
        let mut client = gateway.client();
        let replies: Vec<_> = (0..10).map(|_| client.get("/a", &[])).collect();
        let good_replies = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(good_replies, if repeated { 10 } else { 5 }, "{on} {status}");
        assert!(bad.hits() > 0, "{on} {status}");
        let post = (0..2).map(|_| client.send("POST", "/a", &[], "").status.as_u16());
        assert_eq!(post.filter(|s| *s == status).count(), 1, "{on} {status}");
    }
}

#[test]
fn the_last_answer_is_passed_on_when_no_try_is_left() {
    let upstream = Upstream::start("bad");
    upstream.answer_with(503);
    let gateway = gateway(&[upstream.address], &format!("attempts: 3, {BUDGET}"));
    let reply = gateway.get("/a");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["instance"], "bad");
    assert_eq!(upstream.hits(), 3);
    assert_eq!(
        gateway.metric("portcullis_retries_total{route=\"r\"} "),
        Some(2.0)
    );
}

#[test]
fn the_budget_bounds_what_an_upstream_in_trouble_gets() {
    let upstream = Upstream::start("bad");
    upstream.answer_with(503);
    let budget = "attempts: 5, budget: { percent: 20, min_per_second: 0 }";
    let gateway = gateway(&[upstream.address], budget);
    let mut client = gateway.client();
    for _ in 0..200 {
        assert_eq!(client.get("/a", &[]).status, 503);
    }
    assert!(
        (230..=240).contains(&upstream.hits()),
        "{}",
        upstream.hits()
    );
}

#[test]
fn a_try_has_a_time_of_its_own() {
    let (slow, fast) = (Upstream::start("slow"), Upstream::start("fast"));
    slow.delay(Duration::from_secs(60));
    let retries = format!("attempts: 2, per_try_timeout: 100ms, on: [timeout], {BUDGET}");
    let gateway = gateway(&[slow.address, fast.address], &retries);
    let mut client = gateway.client();
    let started = Instant::now();
    for _ in 0..6 {
        assert_eq!(client.get("/a", &[]).json()["instance"], "fast");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(slow.hits(), 3);
    let mut posts = [(); 2].map(|()| client.send("POST", "/a", &[], "x").status.as_u16());
    posts.sort_unstable();
    assert_eq!(posts, [200, 504], "POST may have been seen");
}

#[test]
fn the_routes_time_is_for_all_tries_together() {
    let slow = Upstream::start("slow");
    slow.delay(Duration::from_secs(60));
    let retries = format!(
        "timeout: 250ms\nretries: {{ attempts: 10, per_try_timeout: 100ms, on: [timeout], {BUDGET} }}"
    );
    let gateway = Gateway::start(&[], &one_route(&[slow.address], "", &retries));
    let started = Instant::now();
    assert_eq!(gateway.get("/a").status, 504);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!((1..=4).contains(&slow.hits()), "{}", slow.hits());
}

#[test]
fn without_retries_there_is_one_try() {
    let breaking = breaking();
    let gateway = Gateway::start(&[], &one_route(&[breaking.address], "", ""));
    assert_eq!(gateway.get("/a").status, 502);
    assert_eq!(breaking.connections(), 1);
}
