//! Instances that come and go: health checks and registration.

use serde_json::{Value, json};

use crate::support::{Client, Gateway, Reply, Upstream, eventually, one_route};

const CHECK: &str =
    "health_check: { path: /health, interval: 20ms, unhealthy_after: 2, healthy_after: 2 }";

/// The instances of the first service, as the admin API shows them.
fn instances(gateway: &Gateway) -> Vec<Value> {
    let services = gateway.admin("/api/v1/services").json();
    let instances = services["services"][0]["instances"].as_array();
    instances.expect("a list").clone()
}

fn healthy(gateway: &Gateway, upstream: &Upstream) -> bool {
    let address = upstream.address.to_string();
    let instances = instances(gateway);
    let of = |instance: &&Value| instance["address"] == address.as_str();
    let instance = instances.iter().find(of).expect("the instance");
    instance["healthy"].as_bool().expect("true or false")
}

fn names(gateway: &Gateway, requests: usize) -> Vec<String> {
    let mut client = gateway.client();
    let mut names: Vec<String> = (0..requests)
        .map(|_| {
            let reply = client.get("/a", &[]);
            assert_eq!(reply.status, 200, "{}", reply.text());
            reply.json()["instance"].as_str().expect("a name").into()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_health_check_takes_an_instance_out_and_back() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let gateway = Gateway::start(&[], &one_route(&[a.address, b.address], CHECK, ""));
    assert_eq!(names(&gateway, 10), ["a", "b"]);
    let series = format!(
        "portcullis_instance_healthy{{service=\"s\",instance=\"{}\"}} ",
        b.address
    );
    assert_eq!(gateway.metric(&series), Some(1.0));

    b.healthy(false);
    eventually("b is taken out", || !healthy(&gateway, &b));
    assert!(healthy(&gateway, &a));
    assert_eq!(names(&gateway, 10), ["a"]);
    assert_eq!(gateway.metric(&series), Some(0.0));

    a.healthy(false);
    eventually("nobody is left", || gateway.get("/a").status == 503);

    b.healthy(true);
    eventually("b is back", || healthy(&gateway, &b));
    assert_eq!(names(&gateway, 10), ["b"]);
}

#[test]
fn an_instance_that_died_is_taken_out_and_comes_back() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let gateway = Gateway::start(&[], &one_route(&[a.address, b.address], CHECK, ""));
    let address = b.address;
    eventually("both serve", || names(&gateway, 4) == ["a", "b"]);
    drop(b);
    let health = |expected: bool| {
        let instances = instances(&gateway);
        let of = |i: &&Value| i["address"] == address.to_string().as_str();
        instances
            .iter()
            .find(of)
            .is_some_and(|i| i["healthy"] == expected)
    };
    eventually("b is taken out", || health(false));
    assert_eq!(names(&gateway, 10), ["a"]);
    let _b = Upstream::start_on("b", address);
    eventually("b is back", || health(true));
    assert_eq!(names(&gateway, 10), ["a", "b"]);
}

#[test]
fn health_survives_a_reload() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let slow = CHECK.replace("unhealthy_after: 2", "unhealthy_after: 1");
    let addresses = [a.address, b.address];
    let gateway = Gateway::start(&[], &one_route(&addresses, &slow, ""));
    b.healthy(false);
    eventually("b is taken out", || !healthy(&gateway, &b));
    gateway.write_config(&one_route(&addresses, &slow, "timeout: 3s"));
    eventually("the new configuration serves", || {
        assert!(!healthy(&gateway, &b));
        gateway.generation() == 2
    });
    assert_eq!(names(&gateway, 10), ["a"]);
}

fn register(gateway: &Gateway, id: &str, body: &Value) -> Reply {
    let path = format!("/api/v1/services/s/instances/{id}");
    Client::new(gateway.admin).send("PUT", &path, &[], &body.to_string())
}

fn deregister(gateway: &Gateway, id: &str) -> Reply {
    let path = format!("/api/v1/services/s/instances/{id}");
    Client::new(gateway.admin).send("DELETE", &path, &[], "")
}

#[test]
fn a_registered_instance_serves_until_it_leaves() {
    let (a, b) = (Upstream::start("a"), Upstream::start("b"));
    let gateway = Gateway::start(&[], &one_route(&[a.address], "", ""));
    assert_eq!(names(&gateway, 4), ["a"]);

    let body = json!({ "address": b.address.to_string(), "ttl": "60s", "weight": 2, "metadata": { "zone": "x" } });
    let reply = register(&gateway, "b-1", &body);
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.json()["expires_in_ms"], 60_000);
    assert_eq!(names(&gateway, 4), ["a", "b"], "with the next request");
    assert_eq!(register(&gateway, "b-1", &body).status, 200, "a heartbeat");

    let instances = instances(&gateway);
    let of = |i: &&Value| i["id"] == "b-1";
    let b_1 = instances.iter().find(of).expect("it is shown");
    assert_eq!(b_1["source"], "registered");
    assert_eq!(
        (&b_1["weight"], &b_1["metadata"]["zone"]),
        (&2.into(), &"x".into())
    );
    assert!(b_1["expires_in_ms"].as_u64().is_some_and(|ms| ms <= 60_000));

    gateway.write_config(&one_route(&[a.address], "", "timeout: 3s"));
    eventually("the new configuration serves", || gateway.generation() == 2);
    assert_eq!(names(&gateway, 4), ["a", "b"], "a reload keeps it");

    assert_eq!(deregister(&gateway, "b-1").status, 204);
    assert_eq!(names(&gateway, 4), ["a"]);
    assert_eq!(deregister(&gateway, "b-1").status, 404);
}

#[test]
fn a_registration_without_a_heartbeat_ends() {
    let b = Upstream::start("b");
    let gateway = Gateway::start(&[], &one_route(&[], "", ""));
    assert_eq!(gateway.get("/a").status, 503);
    let body = json!({ "address": b.address.to_string(), "ttl": "1s" });
    assert_eq!(register(&gateway, "b", &body).status, 201);
    assert_eq!(names(&gateway, 2), ["b"]);
    eventually("it is gone", || gateway.get("/a").status == 503);
    assert!(instances(&gateway).is_empty());
    assert_eq!(register(&gateway, "b", &body).status, 201, "new again");
}

#[test]
fn a_registration_that_cannot_be_is_refused_with_the_reason() {
    let a = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[a.address], "", ""));
    let taken = a.address.to_string();
    let good = json!({ "address": "127.0.0.1:9" });
    let cases = [
        ("/api/v1/services/none/instances/x", good.to_string(), 404),
        ("/api/v1/services/s/instances/a%20b", good.to_string(), 400),
        ("/api/v1/services/s/instances/x", "nonsense".into(), 400),
        ("/api/v1/services/s/instances/x", json!({}).to_string(), 400),
        (
            "/api/v1/services/s/instances/x",
            json!({ "address": "127.0.0.1:9", "tll": "5s" }).to_string(),
            400,
        ),
        (
            "/api/v1/services/s/instances/x",
            json!({ "address": "127.0.0.1:9", "ttl": "1ms" }).to_string(),
            400,
        ),
        (
            "/api/v1/services/s/instances/x",
            json!({ "address": "127.0.0.1:9", "weight": 0 }).to_string(),
            400,
        ),
        (
            "/api/v1/services/s/instances/x",
            json!({ "address": taken }).to_string(),
            409,
        ),
    ];
    let mut client = Client::new(gateway.admin);
    for (path, body, status) in cases {
        let reply = client.send("PUT", path, &[], &body);
        assert_eq!(
            reply.status.as_u16(),
            status,
            "{path} {body}: {}",
            reply.text()
        );
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let detail = reply.json()["detail"].clone();
        assert!(detail.as_str().is_some_and(|text| !text.is_empty()));
    }
    let own = format!("/api/v1/services/s/instances/{taken}");
    assert_eq!(client.send("DELETE", &own, &[], "").status, 409);
    let reply = client.get("/api/v1/services/s/instances/x", &[]);
    assert_eq!(
        (reply.status.as_u16(), reply.header("allow")),
        (405, "PUT, DELETE")
    );
    assert_eq!(instances(&gateway).len(), 1);
}
