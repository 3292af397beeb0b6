//! Rate limits: exact under concurrency, and honest about when to come back.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::support::{Client, Gateway, Reply, Upstream, eventually, one_route};

fn limited(upstream: &Upstream, config: &str) -> Gateway {
    let pipeline = format!("pipeline: [{{ plugin: rate-limit, config: {{ {config} }} }}]");
    let config = one_route(&[upstream.address], "", &pipeline);
    Gateway::start(&["rate-limit"], &config)
}

/// About an hour, of which no window ends while a test runs.
fn hour() -> &'static str {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let hours = [("1h", 3_600), ("61m", 3_660), ("62m", 3_720)];
    let far = |seconds: &u64| now % seconds > 60 && seconds - now % seconds > 120;
    let (text, _) = hours
        .iter()
        .find(|(_, seconds)| far(seconds))
        .expect("windows differ");
    text
}

#[test]
fn of_a_thousand_an_hour_exactly_a_thousand_pass() {
    const CLIENTS: usize = 100;
    const EACH: usize = 13;
    let hour = hour();
    for limit in [
        format!("requests: 1000, per: {hour}"),
        format!("algorithm: fixed_window, requests: 1000, per: {hour}"),
        "algorithm: token_bucket, requests: 1, burst: 1000, per: 1h".to_owned(),
    ] {
        let upstream = Upstream::start("a");
        let gateway = limited(&upstream, &limit);
        let together = Barrier::new(CLIENTS);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let client = || {
                // A connection each, which the system spreads over both workers.
                let mut client = gateway.client();
                together.wait();
                (0..EACH)
                    .map(|_| client.get("/a", &[]).status.as_u16())
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let count = |status: u16| statuses.iter().filter(|of| **of == status).count();
        assert_eq!(
            (count(200), count(429)),
            (1_000, CLIENTS * EACH - 1_000),
            "{limit}"
        );
        assert_eq!(upstream.hits(), 1_000, "{limit}");
    }
}

#[track_caller]
fn seconds(reply: &Reply, header: &str) -> u64 {
    reply.header(header).parse().expect("seconds")
}

#[test]
fn a_bucket_lets_its_burst_pass_and_then_says_rightly_when_to_come_back() {
    let upstream = Upstream::start("a");
    let gateway = limited(
        &upstream,
        "algorithm: token_bucket, requests: 1, per: 2s, burst: 5",
    );
    let mut client = gateway.client();
    for left in (0..5).rev() {
        let reply = client.get("/a", &[]);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=5;w=10");
        let limit = reply.header("ratelimit");
        assert!(
            limit.starts_with(&format!("\"default\";r={left};t=")),
            "{limit}"
        );
    }
    // Twice: a refusal takes no token.
    for _ in 0..2 {
        let refused = client.get("/a", &[]);
        let at = Instant::now();
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.json()["status"], 429);
        assert!(
            refused
                .header("ratelimit")
                .starts_with("\"default\";r=0;t=")
        );
        let wait = seconds(&refused, "retry-after");
        assert!((1..=2).contains(&wait), "{wait}");
        assert_eq!(client.get("/a", &[]).status, 429, "at once");
        eventually("the time is over", || {
            at.elapsed() >= Duration::from_secs(wait)
        });
        assert_eq!(client.get("/a", &[]).status, 200, "after exactly {wait} s");
    }
    assert_eq!(upstream.hits(), 7);
}

#[test]
fn a_window_says_rightly_when_to_come_back() {
    for algorithm in ["fixed_window", "sliding_window"] {
        let upstream = Upstream::start("a");
        let limit = format!("algorithm: {algorithm}, requests: 3, per: 2s");
        let gateway = limited(&upstream, &limit);
        let mut client = gateway.client();
        let mut refused = None;
        eventually("a refusal", || {
            refused = Some(client.get("/a", &[])).filter(|reply| reply.status == 429);
            refused.is_some()
        });
        let (at, refused) = (Instant::now(), refused.expect("set above"));
        let wait = seconds(&refused, "retry-after");
        assert!((1..=4).contains(&wait), "{algorithm}: {wait}");
        eventually("the time is over", || {
            at.elapsed() >= Duration::from_secs(wait)
        });
        assert_eq!(
            client.get("/a", &[]).status,
            200,
            "{algorithm}: after {wait} s"
        );
    }
}

#[test]
fn several_limits_hold_at_once_and_are_all_told() {
    let upstream = Upstream::start("a");
    let limits = "limits: [{ name: minute, requests: 2, per: 61m }, { name: hour, requests: 1000, per: 7h }]";
    let gateway = limited(&upstream, limits);
    let first = gateway.get("/a");
    let policy = "\"minute\";q=2;w=3660, \"hour\";q=1000;w=25200";
    assert_eq!(first.header("ratelimit-policy"), policy);
    let limit = first.header("ratelimit");
    assert!(
        limit.contains("\"minute\";r=1;t=") && limit.contains("\"hour\";r=999;t="),
        "{limit}"
    );
    assert_eq!(gateway.get("/a").status, 200);
    let refused = gateway.get("/a");
    assert_eq!(refused.status, 429);
    // What the first refuses is not charged to the second.
    assert!(refused.header("ratelimit").contains("\"hour\";r=998;t="));
}

#[test]
fn clients_told_apart_by_a_header_do_not_share() {
    let upstream = Upstream::start("a");
    let gateway = limited(&upstream, "requests: 1, per: 61m, key: \"header:x-tenant\"");
    let ask = |tenant: &str| {
        Client::new(gateway.address)
            .get("/a", &[("x-tenant", tenant)])
            .status
            .as_u16()
    };
    assert_eq!(
        [ask("a"), ask("a"), ask("b"), ask("b")],
        [200, 429, 200, 429]
    );
}
