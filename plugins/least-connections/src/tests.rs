//! The balancer as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::LeastConnections;

fn set(gateway: &Gateway, weights: &[u32]) {
    let one =
        |(index, &weight): (usize, &u32)| instance(&format!("i{index}"), "127.0.0.1:1", weight);
    gateway.set_instances("users", weights.iter().enumerate().map(one));
}

#[test]
fn the_least_busy_for_its_weight_is_picked_whichever_worker_made_it_busy() {
    let gateway = Gateway::new();
    set(&gateway, &[1, 1, 4]);
    let mut balancer = LeastConnections::default();
    for (in_flight, expected) in [([3, 1, 9], 1), ([3, 3, 9], 2), ([0, 1, 1], 0)] {
        for (index, requests) in (0..).zip(in_flight) {
            gateway.set_in_flight(index, requests);
        }
        let picked = gateway.run_pick(&mut balancer, Request::get("/"), 0);
        assert_eq!(picked, Some(expected), "{in_flight:?}");
    }
}

#[test]
fn without_load_the_turn_goes_round_by_weight() {
    let gateway = Gateway::new();
    set(&gateway, &[1, 1, 2]);
    let mut balancer = LeastConnections::default();
    let mut counts = [0_u32; 3];
    for _ in 0..400 {
        let picked = gateway.run_pick(&mut balancer, Request::get("/"), 0);
        counts[picked.expect("a pick") as usize] += 1;
    }
    for (count, expected) in counts.into_iter().zip([100, 100, 200]) {
        assert!(count.abs_diff(expected) <= 2, "{counts:?}");
    }
}

#[test]
fn retries_go_to_the_next_least_busy() {
    let gateway = Gateway::new();
    set(&gateway, &[1, 1, 1]);
    for (index, requests) in [(0, 7), (1, 2), (2, 4)] {
        gateway.set_in_flight(index, requests);
    }
    let mut balancer = LeastConnections::default();
    let exchange = gateway.exchange(Request::get("/"));
    let picks: Vec<_> = (0..4)
        .map_while(|attempt| exchange.run_pick(&mut balancer, attempt))
        .collect();
    assert_eq!(picks, [1, 2, 0, 1]);
}

#[test]
fn an_instance_that_goes_gets_nothing_more() {
    let gateway = Gateway::new();
    set(&gateway, &[1, 1, 1]);
    let mut balancer = LeastConnections::default();
    gateway.run_pick(&mut balancer, Request::get("/"), 0);
    set(&gateway, &[1]);
    assert_eq!(
        gateway.run_pick(&mut balancer, Request::get("/"), 0),
        Some(0)
    );
    set(&gateway, &[]);
    assert_eq!(gateway.run_pick(&mut balancer, Request::get("/"), 0), None);
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<LeastConnections>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
