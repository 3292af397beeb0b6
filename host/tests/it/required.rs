//! A filter that is declared `required`: where it is missing, nothing passes.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::support::{
    Gateway, Upstream, check, command, copy_plugin, eventually, hostile, lay_out, put, within,
};

/// A route that needs the plugin `guard`, and one that does not.
fn config(upstream: &Upstream, guard: &str) -> String {
    format!(
        "services:\n  s: {{ instances: [{{ address: \"{}\" }}] }}\nroutes:\n  - name: guarded\n    match: {{ path: /guarded }}\n    pipeline:\n      - {{ plugin: headers, config: {{ response: {{ set: {{ x-seen: yes }} }} }} }}\n      - {guard}\n    service: s\n  - name: open\n    match: {{ path: /open }}\n    service: s\n",
        upstream.address
    )
}

const GUARD: &str = "{ plugin: guard, required: true }";

#[track_caller]
fn assert_missing(gateway: &Gateway, upstream: &Upstream) {
    let hits = upstream.hits();
    for _ in 0..10 {
        let reply = gateway.get("/guarded");
        assert_eq!(reply.status, 503);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let problem = reply.json();
        assert_eq!(problem["detail"], "a plugin that is required is missing");
        assert!(!reply.text().contains("guard"), "tells too much: {problem}");
    }
    assert_eq!(upstream.hits(), hits, "nothing passes");
    assert_eq!(gateway.get("/open").status, 200, "other routes serve");
}

fn check_of(directory: &Path) -> Output {
    let file = directory.join("portcullis.yaml");
    command(&["check", "--config", file.to_str().expect("text")], &[])
}

#[test]
fn a_required_filter_cannot_be_skipped() {
    let config = "listeners: [{ address: \"127.0.0.1:1\" }]\nroutes:\n  - name: r\n    pipeline:\n      - plugin: headers\n        required: true\n        on_error: skip\n";
    let output = check(&["headers"], config, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = ":7:19: routes[0].pipeline[0].on_error: a required filter cannot be skipped\n  hint: leave out `on_error`, or `required`";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn without_it_its_route_answers_503_until_the_file_comes() {
    let upstream = Upstream::start("a");
    let directory = lay_out(&["headers"], &config(&upstream, GUARD));
    let checked = check_of(directory.path());
    assert_eq!(checked.status.code(), Some(1), "`check` says so");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains("there is no plugin `guard`"), "{said}");

    let gateway = Gateway::start_in(directory, &[]);
    assert_missing(&gateway, &upstream);
    let ready = gateway.admin("/ready");
    assert_eq!(ready.status, 200, "the other routes are served");
    assert_eq!(ready.json()["missing_plugins"][0], "guard");
    let routes = gateway.admin("/api/v1/routes").json();
    assert_eq!(routes["routes"][0]["missing"][0], "guard", "{routes}");
    assert_eq!(routes["routes"][1]["missing"], serde_json::json!([]));
    let plugins = gateway.admin("/api/v1/plugins").json();
    let listed = plugins["plugins"].as_array().expect("a list");
    let guard = listed.iter().find(|plugin| plugin["name"] == "guard");
    assert_eq!(
        guard.expect("it is listed")["state"],
        "missing",
        "{plugins}"
    );
    let series = "portcullis_plugin_missing{plugin=\"guard\"}";
    assert_eq!(gateway.metric(series), Some(1.0));
    assert!(gateway.log().contains("required plugins are missing"));

    // Something else can change meanwhile.
    gateway.write_config(&format!("{}    timeout: 7s\n", config(&upstream, GUARD)));
    eventually("it is live", || gateway.generation() == 2);
    assert_missing(&gateway, &upstream);

    copy_plugin("hello-filter", &gateway.plugins().join("guard.wasm"));
    eventually("it heals", || gateway.get("/guarded").status == 200);
    assert_eq!(gateway.get("/guarded").header("x-seen"), "yes");
    assert_eq!(gateway.admin("/ready").json()["status"], "serving");
    assert_eq!(gateway.metric(series), None);

    // What runs stays when the file goes.
    let refused = gateway.refused_reloads();
    fs::remove_file(gateway.plugins().join("guard.wasm")).expect("it was there");
    eventually("the reload is refused", || {
        gateway.refused_reloads() > refused
    });
    assert_eq!(gateway.get("/guarded").status, 200);
}

#[test]
fn one_that_does_not_load_or_does_not_start_counts_as_missing() {
    let traps = "{ plugin: guard, required: true, config: \"configure:panic\" }";
    for (file, guard) in [
        (&b"\0asm\x0d\0\x01\0garbage"[..], GUARD),
        (hostile(), traps),
    ] {
        let upstream = Upstream::start("a");
        let directory = lay_out(&["headers"], &config(&upstream, guard));
        put(file, &directory.path().join("plugins/guard.wasm"));
        assert_eq!(check_of(directory.path()).status.code(), Some(1));
        let gateway = Gateway::start_in(directory, &[]);
        assert_missing(&gateway, &upstream);
    }
}

#[test]
fn a_required_balancer_that_is_missing_is_503_and_not_taking_turns() {
    let upstream = Upstream::start("a");
    let config = format!(
        "services:\n  s:\n    instances: [{{ address: \"{0}\" }}]\n    balancer: {{ plugin: guard, required: true }}\n  t: {{ instances: [{{ address: \"{0}\" }}] }}\nroutes:\n  - {{ name: s, match: {{ path: /guarded }}, service: s }}\n  - {{ name: t, match: {{ path: /open }}, service: t }}\n",
        upstream.address
    );
    let gateway = Gateway::start(&[], &config);
    assert_missing(&gateway, &upstream);
    copy_plugin("round-robin", &gateway.plugins().join("guard.wasm"));
    eventually("it heals", || gateway.get("/guarded").status == 200);
}

/// True if the gateway ends by itself with an error; one that serves is ended.
fn refuses_to_start(directory: &TempDir) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["run", "--config"])
        .arg(directory.path().join("portcullis.yaml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the gateway's binary starts");
    let mut ended = None;
    within(Duration::from_secs(30), || {
        ended = child.try_wait().expect("a child");
        ended.is_some()
    });
    let _ = child.kill();
    let _ = child.wait();
    ended.is_some_and(|status| status.code() == Some(1))
}

#[test]
fn what_is_not_required_has_to_be_there_and_a_mistake_stays_one() {
    let upstream = Upstream::start("a");
    // Once required and once not: that is not enough.
    let guards = "{ plugin: guard, required: true }\n      - { plugin: guard }";
    let directory = lay_out(&["headers"], &config(&upstream, guards));
    assert!(refuses_to_start(&directory));
    let refused = "{ plugin: guard, required: true, config: \"no hook\" }";
    let directory = lay_out(&["headers"], &config(&upstream, refused));
    put(hostile(), &directory.path().join("plugins/guard.wasm"));
    assert!(refuses_to_start(&directory));
}
