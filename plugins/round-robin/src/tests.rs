//! The balancer as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::RoundRobin;

fn instances(ids: &str) -> Vec<Instance> {
    ids.split(' ')
        .map(|id| instance(id, "127.0.0.1:1", 1))
        .collect()
}

#[test]
fn every_instance_gets_its_turn_in_every_worker() {
    let gateway = Gateway::new();
    gateway.set_instances("users", instances("a b c d"));
    let mut starts = Vec::new();
    for _ in 0..20 {
        let mut balancer: RoundRobin = gateway.configure(json!({})).expect("a balancer");
        let picks: Vec<_> = (0..8)
            .map_while(|_| gateway.run_pick(&mut balancer, Request::get("/"), 0))
            .collect();
        let expected: Vec<_> = (picks[0]..picks[0] + 8).map(|pick| pick % 4).collect();
        assert_eq!(picks, expected);
        starts.push(picks[0]);
    }
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts, [0, 1, 2, 3], "workers start at places of their own");
}

#[test]
fn an_instance_that_goes_gets_nothing_more() {
    let gateway = Gateway::new();
    gateway.set_instances("users", instances("a b c"));
    let mut balancer = RoundRobin::default();
    gateway.run_pick(&mut balancer, Request::get("/"), 0);
    gateway.set_instances("users", instances("a c"));
    let mut picks: Vec<_> = (0..4)
        .map_while(|_| gateway.run_pick(&mut balancer, Request::get("/"), 0))
        .collect();
    picks.sort_unstable();
    assert_eq!(picks, [0, 0, 1, 1]);
    gateway.set_instances("users", []);
    assert_eq!(gateway.run_pick(&mut balancer, Request::get("/"), 0), None);
}

#[test]
fn retries_go_round_before_they_come_back() {
    let gateway = Gateway::new();
    gateway.set_instances("users", instances("a b c"));
    let mut balancer = RoundRobin::default();
    let exchange = gateway.exchange(Request::get("/"));
    let mut picks: Vec<_> = (0..3)
        .map_while(|attempt| {
            // Another request takes a turn in between.
            gateway.run_pick(&mut balancer, Request::get("/"), 0);
            exchange.run_pick(&mut balancer, attempt)
        })
        .collect();
    picks.sort_unstable();
    assert_eq!(picks, [0, 1, 2]);
    assert!(exchange.run_pick(&mut balancer, 3).is_some());
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<RoundRobin>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
