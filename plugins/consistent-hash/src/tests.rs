//! The balancer as the gateway runs it.

use portcullis_sdk::serde_json::{self, Value};
use portcullis_sdk::testing::*;

use super::ConsistentHash;

fn set(gateway: &Gateway, ids: &str) {
    let instances = ids
        .split_whitespace()
        .map(|id| instance(id, "127.0.0.1:1", 1));
    gateway.set_instances("users", instances);
}

#[test]
fn a_key_goes_to_the_same_instance_in_every_worker() {
    type Make = fn(u32) -> Request;
    let cases: [(Value, Make); 6] = [
        (json!({}), |key| {
            Request::get("/").client(&format!("10.0.0.{key}"))
        }),
        (json!({ "by": "client_ip" }), |key| {
            Request::get("/").client(&format!("10.0.0.{key}"))
        }),
        (json!({ "by": "header", "name": "X-User" }), |key| {
            Request::get("/").header("x-user", key.to_string())
        }),
        (json!({ "by": "cookie", "name": "session" }), |key| {
            Request::get("/")
                .header("cookie", "a=b")
                .header("cookie", format!("c=d; session={key}"))
        }),
        (
            json!({ "by": "attribute", "name": "auth.subject" }),
            |key| Request::get("/").attribute("auth.subject", &key.to_string()),
        ),
        (json!({ "by": "path" }), |key| {
            Request::get(&format!("/{key}?{key}"))
        }),
    ];
    for (config, request) in cases {
        let gateway = Gateway::new();
        set(&gateway, "a b c");
        let worker = || gateway.configure(config.clone()).expect("a balancer");
        let (mut one, mut other): (ConsistentHash, ConsistentHash) = (worker(), worker());
        let mut counts = [0; 3];
        for key in 0..100 {
            let picked = gateway.run_pick(&mut one, request(key), 0);
            assert_eq!(
                gateway.run_pick(&mut other, request(key), 0),
                picked,
                "{config}"
            );
            counts[picked.expect("a pick") as usize] += 1;
        }
        assert!(
            counts.iter().all(|&count| count > 10),
            "{config}: {counts:?}"
        );
    }
}

#[test]
fn without_the_key_the_clients_address_decides() {
    let gateway = Gateway::new();
    set(&gateway, "a b c");
    let by_header = json!({ "by": "header", "name": "x-user" });
    let mut by_header: ConsistentHash = gateway.configure(by_header).expect("a balancer");
    let mut by_address: ConsistentHash = gateway.configure(json!({})).expect("a balancer");
    for host in 0..100 {
        let request = Request::get("/").client(&format!("10.0.0.{host}"));
        let expected = gateway.run_pick(&mut by_address, request.clone(), 0);
        assert_eq!(gateway.run_pick(&mut by_header, request, 0), expected);
    }
}

#[test]
fn only_the_keys_of_an_instance_that_goes_are_moved() {
    let gateway = Gateway::new();
    let mut balancer: ConsistentHash = gateway.configure(json!({})).expect("a balancer");
    let mut picks = |ids: &str| {
        set(&gateway, ids);
        let ids: Vec<_> = ids.split_whitespace().map(str::to_owned).collect();
        let address = |key: u32| Request::get("/").client(&format!("10.0.0.{key}"));
        (0..200)
            .map_while(|key| gateway.run_pick(&mut balancer, address(key), 0))
            .map(|index| ids[index as usize].clone())
            .collect::<Vec<_>>()
    };
    let (before, after) = (picks("a b c"), picks("a c"));
    assert_eq!(after.len(), 200);
    for (from, to) in before.iter().zip(&after) {
        assert!(from == to || from == "b", "{from} to {to}");
    }
    assert_eq!(picks("a b c"), before);
    assert_eq!(picks(""), Vec::<String>::new());
}

#[test]
fn retries_go_round_before_they_come_back() {
    let gateway = Gateway::new();
    set(&gateway, "a b c");
    let mut balancer: ConsistentHash = gateway.configure(json!({})).expect("a balancer");
    let exchange = gateway.exchange(Request::get("/"));
    let picks: Vec<_> = (0..4)
        .map_while(|attempt| exchange.run_pick(&mut balancer, attempt))
        .collect();
    assert_eq!(picks[3], picks[0]);
    let mut sorted = picks[..3].to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2]);
}

#[test]
fn wrong_configurations_are_refused() {
    let cases = [
        (json!({ "by": "header" }), "`name` is missing"),
        (json!({ "by": "moon" }), "moon"),
        (json!({ "name": "x" }), "`name` is of use with"),
        (json!({ "point": 3 }), "point"),
    ];
    let gateway = Gateway::new();
    for (config, expected) in cases {
        let error = gateway
            .configure::<ConsistentHash>(config)
            .expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// With `UPDATE_SCHEMA=1` the file is written anew.
#[test]
fn the_schema_file_is_what_the_plugin_describes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let schema = Gateway::new().schema::<ConsistentHash>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file, format!("{schema:#}\n")).expect("the file can be written");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    // Read again, since the order of keys means nothing.
    let written: Value = serde_json::from_str(&written).unwrap_or_default();
    assert_eq!(written, schema, "UPDATE_SCHEMA=1 writes {file}");
}
