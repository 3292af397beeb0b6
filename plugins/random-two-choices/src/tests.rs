//! The balancer as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::RandomTwoChoices;

fn gateway(instances: u32) -> Gateway {
    let gateway = Gateway::new();
    set(&gateway, instances);
    gateway
}

fn set(gateway: &Gateway, instances: u32) {
    let one = |index: u32| instance(&format!("i{index}"), "127.0.0.1:1", 1);
    gateway.set_instances("users", (0..instances).map(one));
}

fn counts(gateway: &Gateway, balancer: &mut RandomTwoChoices, picks: u32) -> [u32; 4] {
    let mut counts = [0; 4];
    for _ in 0..picks {
        let picked = gateway.run_pick(balancer, Request::get("/"), 0);
        counts[picked.expect("a pick") as usize] += 1;
    }
    counts
}

#[test]
fn unmeasured_and_idle_instances_share_alike() {
    let gateway = gateway(4);
    let counts = counts(&gateway, &mut RandomTwoChoices::default(), 8_000);
    assert!(
        counts.iter().all(|count| count.abs_diff(2_000) < 200),
        "{counts:?}"
    );
}

#[test]
fn the_slowest_gets_nothing_until_it_is_faster_or_the_others_are_busy() {
    let gateway = gateway(4);
    let mut balancer = RandomTwoChoices::default();
    (0..4).for_each(|index| gateway.set_latency_us(index, 1_000));
    gateway.set_latency_us(2, 9_000);
    assert_eq!(counts(&gateway, &mut balancer, 1_000)[2], 0);
    for index in [0, 1, 3] {
        gateway.set_in_flight(index, 9);
    }
    let counts = counts(&gateway, &mut balancer, 1_000);
    assert!(counts[2].abs_diff(500) < 100, "{counts:?}");
}

#[test]
fn retries_go_round_before_they_come_back() {
    let gateway = gateway(4);
    let mut balancer = RandomTwoChoices::default();
    for _ in 0..100 {
        let exchange = gateway.exchange(Request::get("/"));
        let mut picks: Vec<_> = (0..4)
            .map_while(|attempt| exchange.run_pick(&mut balancer, attempt))
            .collect();
        picks.sort_unstable();
        assert_eq!(picks, [0, 1, 2, 3]);
        assert!(exchange.run_pick(&mut balancer, 4).is_some());
    }
}

#[test]
fn an_instance_that_goes_gets_nothing_more() {
    let gateway = gateway(4);
    let mut balancer = RandomTwoChoices::default();
    counts(&gateway, &mut balancer, 10);
    set(&gateway, 2);
    assert_eq!(counts(&gateway, &mut balancer, 100)[2..], [0, 0]);
    set(&gateway, 0);
    assert_eq!(gateway.run_pick(&mut balancer, Request::get("/"), 0), None);
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<RandomTwoChoices>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
