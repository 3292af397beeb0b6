//! What the admin listener shows.

use std::collections::BTreeMap;

use crate::support::{Client, Gateway, Upstream, one_route};

const SECRET: &str = "at-least-thirty-two-bytes-of-secret";

/// A gateway with a filter, a balancer and secrets of both kinds. `/elsewhere`
/// belongs to no route.
fn gateway(upstream: &Upstream) -> Gateway {
    let route = "pipeline:
  - plugin: key-auth
    config: { consumers: [{ name: ann, keys: [literally-a-secret-key-of-ann] }, { name: bob, keys: [\"${BOB}\"] }] }
  - plugin: headers
    config: { request: { set: { x-upstream-tag: \"${BOB}\" } }, response: { set: { x-shown: yes-it-is } } }";
    let balancer = "balancer: { plugin: round-robin }";
    Gateway::start_with(
        &["key-auth", "headers", "round-robin", "rewrite"],
        &one_route(&[upstream.address], balancer, route).replace("/{*rest}", "/a"),
        &[("BOB", SECRET)],
    )
}

/// One `GET` as bob.
fn ask(gateway: &Gateway) -> u16 {
    let reply = gateway.client().get("/a", &[("x-api-key", SECRET)]);
    reply.status.as_u16()
}

#[test]
fn it_is_alive_and_ready() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    assert_eq!(gateway.admin("/health").json()["status"], "alive");
    assert_eq!(gateway.admin("/ready").json()["status"], "serving");
    let mut client = Client::new(gateway.admin);
    assert_eq!(client.get("/nothing", &[]).status, 404);
    let reply = client.send("POST", "/health", &[], "");
    assert_eq!(
        (reply.status.as_u16(), reply.header("allow")),
        (405, "GET, HEAD")
    );
    assert_eq!(gateway.get("/health").status, 200, "traffic is not admin");
    assert_eq!(gateway.get("/api/v1/config").json()["instance"], "a");
}

/// Families by name, with their types.
fn families(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .collect()
}

#[test]
fn metrics_are_prometheus_text() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    assert_eq!(ask(&gateway), 200);
    assert_eq!(gateway.get("/a").status, 401);
    let reply = gateway.admin("/metrics");
    assert_eq!(
        reply.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = reply.text();
    let families = families(&text);
    for (name, kind) in [
        ("portcullis_requests_total", "counter"),
        ("portcullis_requests_in_flight", "gauge"),
        ("portcullis_request_duration_seconds", "histogram"),
        ("portcullis_retries_total", "counter"),
        ("portcullis_filter_calls_total", "counter"),
        ("portcullis_filter_duration_seconds_total", "counter"),
        ("portcullis_filter_answers_total", "counter"),
        ("portcullis_balancer_calls_total", "counter"),
        ("portcullis_balancer_duration_seconds_total", "counter"),
        ("portcullis_instance_healthy", "gauge"),
        ("portcullis_connections", "gauge"),
        ("portcullis_connections_total", "counter"),
        ("portcullis_upstream_connections", "gauge"),
        ("portcullis_upstream_connections_total", "counter"),
        ("portcullis_reloads_total", "counter"),
        ("portcullis_config_generation", "gauge"),
        ("portcullis_reload_last_success_timestamp_seconds", "gauge"),
        ("portcullis_state_entries", "gauge"),
        ("portcullis_build_info", "gauge"),
    ] {
        assert_eq!(families.get(name), Some(&kind), "{name}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>());
        assert!(matches!(value, Some(Ok(_))), "{line}");
    }
}

#[test]
fn metrics_move() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    let value = |series: &str| gateway.metric(&format!("{series} ")).unwrap_or(0.0);
    for _ in 0..5 {
        assert_eq!(ask(&gateway), 200);
    }
    assert_eq!(gateway.get("/a").status, 401);
    assert_eq!(gateway.get("/elsewhere").status, 404);
    upstream.answer_with(503);
    assert_eq!(ask(&gateway), 503);
    let expected = [
        ("portcullis_requests_total{route=\"r\",status=\"200\"}", 5.0),
        ("portcullis_requests_total{route=\"r\",status=\"401\"}", 1.0),
        ("portcullis_requests_total{route=\"r\",status=\"503\"}", 1.0),
        ("portcullis_requests_total{route=\"\",status=\"404\"}", 1.0),
        ("portcullis_requests_in_flight{route=\"r\"}", 0.0),
        (
            "portcullis_request_duration_seconds_count{route=\"r\"}",
            7.0,
        ),
        ("portcullis_config_generation", 1.0),
        ("portcullis_reloads_total{result=\"success\"}", 1.0),
        ("portcullis_connections_total", 8.0),
    ];
    for (series, expected) in expected {
        assert_eq!(value(series), expected, "{series}");
    }
    assert!(value("portcullis_upstream_connections_total") >= 1.0);
    let text = gateway.admin("/metrics").text();
    let sum = |family: &str, labels: &[&str]| -> f64 {
        text.lines()
            .filter(|line| line.starts_with(&format!("{family}{{")))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    let calls = |plugin: &str, hook: &str| {
        let labels = [
            &*format!("plugin=\"{plugin}\""),
            &*format!("hook=\"{hook}\""),
        ];
        sum("portcullis_filter_calls_total", &labels)
    };
    assert_eq!(calls("key-auth", "request"), 7.0);
    assert_eq!(calls("headers", "response"), 6.0);
    assert_eq!(sum("portcullis_filter_answers_total", &["key-auth"]), 1.0);
    assert_eq!(
        sum("portcullis_balancer_calls_total", &["hook=\"pick\""]),
        6.0
    );
    assert!(sum("portcullis_filter_duration_seconds_total", &[]) > 0.0);
}

#[test]
fn plugins_are_shown_with_what_they_are_and_where_they_serve() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    std::fs::write(gateway.plugins().join("broken.wasm"), "no wasm").expect("a file is written");
    crate::support::eventually("the broken one is shown", || {
        gateway.admin("/api/v1/plugins").text().contains("broken")
    });
    let json = gateway.admin("/api/v1/plugins").json();
    let plugins: BTreeMap<_, _> = json["plugins"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|plugin| (plugin["name"].as_str().expect("a name"), plugin))
        .collect();
    let names: Vec<_> = plugins.keys().copied().collect();
    assert_eq!(
        names,
        ["broken", "headers", "key-auth", "rewrite", "round-robin"]
    );
    let headers = plugins["headers"];
    assert_eq!(headers["state"], "serving");
    assert_eq!(headers["used_by"][0], "route r");
    assert_eq!(headers["sha256"].as_str().map(str::len), Some(64));
    assert!(headers["config_schema"]["properties"]["response"].is_object());
    assert!(!headers["summary"].as_str().expect("a text").is_empty());
    let hooks = headers["hooks"].as_array().expect("a list");
    assert!(
        hooks.contains(&"request".into()) && hooks.contains(&"response".into()),
        "{hooks:?}"
    );
    assert_eq!(plugins["round-robin"]["used_by"][0], "service s");
    assert_eq!(plugins["rewrite"]["state"], "loaded");
    assert_eq!(plugins["broken"]["state"], "failed");
    assert!(
        !plugins["broken"]["error"]
            .as_str()
            .expect("a reason")
            .is_empty()
    );
    assert_eq!(ask(&gateway), 200);
}

#[test]
fn routes_and_services_are_shown() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    assert_eq!(ask(&gateway), 200);
    let route = &gateway.admin("/api/v1/routes").json()["routes"][0];
    assert_eq!(route["name"], "r");
    assert_eq!(route["match"]["path"], "/a");
    assert_eq!(
        route["pipeline"],
        serde_json::json!(["key-auth", "headers"])
    );
    assert_eq!(route["service"], "s");
    assert_eq!(route["timeout_ms"], 15_000);
    let service = &gateway.admin("/api/v1/services").json()["services"][0];
    assert_eq!(
        (&service["name"], &service["balancer"]),
        (&"s".into(), &"round-robin".into())
    );
    let instance = &service["instances"][0];
    assert_eq!(instance["address"], upstream.address.to_string());
    assert_eq!(instance["source"], "file");
    assert_eq!(
        (&instance["healthy"], &instance["in_flight"]),
        (&true.into(), &0.into())
    );
    assert!(
        instance["latency_us"].as_u64().is_some_and(|us| us > 0),
        "{instance}"
    );
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    let reply = gateway.admin("/api/v1/config");
    let text = reply.text();
    assert!(!text.contains(SECRET), "{text}");
    assert!(!text.contains("literally-a-secret-key-of-ann"), "{text}");
    assert!(
        text.contains("[redacted]") && text.contains("yes-it-is"),
        "{text}"
    );
    let json = reply.json();
    assert_eq!(json["generation"], 1);
    assert_eq!(json["last_reload"]["ok"], true);
    assert_eq!(json["config"]["workers"], 2);
    assert_eq!(json["config"]["routes"][0]["timeout"], "15s");
    for view in ["plugins", "routes", "services"] {
        let text = gateway.admin(&format!("/api/v1/{view}")).text();
        assert!(!text.contains(SECRET), "{view}: {text}");
    }
    assert!(!gateway.log().contains(SECRET));
}
