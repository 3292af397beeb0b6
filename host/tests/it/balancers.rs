//! How each balancer spreads requests over real instances.
//!
//! A connection belongs to one worker, so that what a balancer promises of one
//! worker is seen on one connection.

use std::{collections::BTreeMap, thread, time::Duration};

use crate::support::{Client, Gateway, Upstream, eventually, one_route};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn upstreams() -> [Upstream; 3] {
    NAMES.map(Upstream::start)
}

fn gateway(upstreams: &[Upstream], balancer: &str, config: &str) -> Gateway {
    let config = settings(upstreams, balancer, config);
    Gateway::start(&[balancer], &config)
}

fn settings(upstreams: &[Upstream], balancer: &str, config: &str) -> String {
    let addresses: Vec<_> = upstreams.iter().map(|u| u.address).collect();
    let balancer = format!("balancer: {{ plugin: {balancer}, config: {{ {config} }} }}");
    one_route(&addresses, &balancer, "")
}

fn instance(client: &mut Client, headers: &[(&str, &str)]) -> String {
    let reply = client.get("/a", headers);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let name = reply.json()["instance"].as_str().map(str::to_owned);
    name.expect("the instance's name")
}

/// Instances of so many requests on one connection, one after the other.
fn sequence(gateway: &Gateway, requests: usize) -> Vec<String> {
    let mut client = gateway.client();
    (0..requests).map(|_| instance(&mut client, &[])).collect()
}

fn counts(sequence: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for name in sequence {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

/// Sends so many requests by each of so many clients at once.
fn load(gateway: &Gateway, clients: usize, requests: usize) {
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| sequence(gateway, requests));
        }
    });
}

#[test]
fn without_a_balancer_instances_are_taken_in_turn() {
    let upstreams = upstreams();
    let addresses = upstreams.each_ref().map(|u| u.address);
    let gateway = Gateway::start(&[], &one_route(&addresses, "", ""));
    let taken = sequence(&gateway, 300);
    assert!(counts(&taken).values().all(|count| *count == 100));
}

#[test]
fn round_robin_takes_one_after_the_other() {
    let upstreams = upstreams();
    let gateway = gateway(&upstreams, "round-robin", "");
    let taken = sequence(&gateway, 300);
    assert!(
        taken
            .windows(3)
            .all(|of| of[0] != of[1] && of[1] != of[2] && of[0] != of[2])
    );
    assert!(counts(&taken).values().all(|count| *count == 100));
    // Whichever workers serve them, all together are as even as their number.
    load(&gateway, 8, 50);
    let hits = upstreams.each_ref().map(Upstream::hits);
    let (least, most) = (hits.iter().min(), hits.iter().max());
    assert!(
        most.zip(least)
            .is_some_and(|(most, least)| most - least <= 2),
        "{hits:?}"
    );
}

#[test]
fn weighted_round_robin_is_exact_and_smooth() {
    let upstreams = upstreams();
    let plain = settings(&upstreams[..2], "weighted-round-robin", "");
    let first = upstreams[0].address.to_string();
    let weighted = plain.replace(&format!("\"{first}\""), &format!("\"{first}\", weight: 3"));
    let gateway = Gateway::start(&["weighted-round-robin"], &weighted);
    let taken = sequence(&gateway, 400);
    assert_eq!(counts(&taken), BTreeMap::from([("a", 300), ("b", 100)]));
    assert!(
        taken.windows(4).all(|of| counts(of)[&"a"] == 3),
        "any four in a row have three of a and one of b"
    );
}

#[test]
fn least_connections_avoids_the_slow_instance() {
    let upstreams = upstreams();
    upstreams[0].delay(Duration::from_millis(400));
    upstreams[1].delay(Duration::from_millis(10));
    upstreams[2].delay(Duration::from_millis(10));
    let gateway = gateway(&upstreams, "least-connections", "");
    load(&gateway, 6, 30);
    let hits = upstreams.each_ref().map(Upstream::hits);
    assert_eq!(hits.iter().sum::<usize>(), 180);
    assert!(hits[0] < 30, "{hits:?}");
    assert!(hits[1].min(hits[2]) > 60, "{hits:?}");
}

#[test]
fn least_connections_takes_turns_without_load() {
    let upstreams = upstreams();
    let gateway = gateway(&upstreams, "least-connections", "");
    let taken = sequence(&gateway, 300);
    assert!(
        counts(&taken).values().all(|count| *count == 100),
        "{:?}",
        counts(&taken)
    );
}

#[test]
fn random_two_choices_avoids_the_slow_instance() {
    let upstreams = upstreams();
    upstreams[0].delay(Duration::from_millis(100));
    upstreams[1].delay(Duration::from_millis(5));
    upstreams[2].delay(Duration::from_millis(5));
    let gateway = gateway(&upstreams, "random-two-choices", "");
    load(&gateway, 4, 75);
    let hits = upstreams.each_ref().map(Upstream::hits);
    assert_eq!(hits.iter().sum::<usize>(), 300);
    assert!(hits[0] < 45, "{hits:?}");
    assert!(hits[1].min(hits[2]) > 60, "{hits:?}");
}

const KEYS: usize = 200;

/// Which instance each key goes to.
fn placed(gateway: &Gateway) -> Vec<String> {
    let mut client = gateway.client();
    (0..KEYS)
        .map(|key| instance(&mut client, &[("x-user", &format!("user-{key}"))]))
        .collect()
}

#[test]
fn consistent_hash_keeps_keys_and_moves_few() {
    let upstreams = upstreams();
    let by_user = "by: header, name: x-user";
    let gateway = gateway(&upstreams, "consistent-hash", by_user);
    let before = placed(&gateway);
    for _ in 0..4 {
        assert_eq!(placed(&gateway), before, "on every connection and worker");
    }
    for (name, count) in counts(&before) {
        assert!((30..=110).contains(&count), "{name} has {count} of {KEYS}");
    }

    gateway.write_config(&settings(&upstreams[..2], "consistent-hash", by_user));
    eventually("the new configuration serves", || gateway.generation() == 2);
    let without_c = placed(&gateway);
    for (before, after) in before.iter().zip(&without_c) {
        assert!(
            after == before || before == "c",
            "a key of {before} moved to {after}"
        );
    }
    assert!(!without_c.contains(&"c".to_owned()));
    let inherited = |name: &str| {
        let pairs = before.iter().zip(&without_c);
        pairs.filter(|(was, is)| *was == "c" && *is == name).count()
    };
    assert!(inherited("a") > 0 && inherited("b") > 0, "both inherit");

    gateway.write_config(&settings(&upstreams, "consistent-hash", by_user));
    eventually("the old configuration is back", || {
        gateway.generation() == 3
    });
    assert_eq!(placed(&gateway), before);
}

#[test]
fn consistent_hash_leaves_keys_alone_when_an_instance_is_unhealthy() {
    let upstreams = upstreams();
    let check =
        "health_check: { path: /health, interval: 20ms, unhealthy_after: 1, healthy_after: 1 }";
    let balancer = "balancer: { plugin: consistent-hash, config: { by: header, name: x-user } }";
    let addresses = upstreams.each_ref().map(|u| u.address);
    let config = one_route(&addresses, &format!("{balancer}\n{check}"), "");
    let gateway = Gateway::start(&["consistent-hash"], &config);
    let before = placed(&gateway);
    upstreams[1].healthy(false);
    eventually("b's keys are taken over, and only those", || {
        let now = placed(&gateway);
        let moved = before.iter().zip(&now).filter(|(was, is)| was != is);
        assert!(moved.clone().all(|(was, _)| was == "b"));
        !now.contains(&"b".to_owned())
    });
    upstreams[1].healthy(true);
    eventually("b has its keys again", || placed(&gateway) == before);
}
