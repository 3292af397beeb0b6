//! The balancer as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::WeightedRoundRobin;

fn set(gateway: &Gateway, weights: &[u32]) {
    let one =
        |(index, &weight): (usize, &u32)| instance(&format!("i{index}"), "127.0.0.1:1", weight);
    gateway.set_instances("users", weights.iter().enumerate().map(one));
}

fn picks(gateway: &Gateway, balancer: &mut WeightedRoundRobin, count: usize) -> Vec<u32> {
    (0..count)
        .map_while(|_| gateway.run_pick(balancer, Request::get("/"), 0))
        .collect()
}

#[test]
fn the_round_is_smooth_and_entered_anywhere() {
    let gateway = Gateway::new();
    set(&gateway, &[5, 1, 1]);
    let round = [0, 0, 1, 0, 2, 0, 0];
    let mut starts = [false; 7];
    for _ in 0..100 {
        let mut balancer = gateway.configure(json!({})).expect("a balancer");
        let picks = picks(&gateway, &mut balancer, 7);
        let start =
            (0..7).find(|&start| (0..7).all(|step| picks[step] == round[(start + step) % 7]));
        starts[start.expect("a part of the round")] = true;
    }
    assert_eq!(starts, [true; 7]);
}

#[test]
fn new_weights_count_from_the_next_pick() {
    let gateway = Gateway::new();
    set(&gateway, &[3, 1]);
    let mut balancer = WeightedRoundRobin::default();
    let count = |picks: Vec<u32>| picks.iter().filter(|&&pick| pick == 0).count();
    assert_eq!(count(picks(&gateway, &mut balancer, 40)), 30);
    set(&gateway, &[1, 4]);
    assert_eq!(count(picks(&gateway, &mut balancer, 40)), 8);
    set(&gateway, &[1]);
    assert_eq!(picks(&gateway, &mut balancer, 3), [0, 0, 0]);
}

#[test]
fn a_retry_goes_elsewhere_however_heavy_the_first_is() {
    let gateway = Gateway::new();
    set(&gateway, &[100, 1, 1]);
    let mut balancer = WeightedRoundRobin::default();
    for _ in 0..50 {
        let exchange = gateway.exchange(Request::get("/"));
        let mut picks: Vec<_> = (0..3)
            .map_while(|attempt| exchange.run_pick(&mut balancer, attempt))
            .collect();
        picks.sort_unstable();
        assert_eq!(picks, [0, 1, 2]);
    }
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<WeightedRoundRobin>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
