//! A plugin that misbehaves costs the request it misbehaves on, and nothing else.

use std::time::{Duration, Instant};

use crate::support::{
    Client, Gateway, Load, Reply, Upstream, eventually, hostile, lay_out, one_route, put,
};

/// A gateway whose route runs the hostile plugin; each request says in
/// `x-deed` what to do.
fn gateway(upstream: &Upstream, step: &str) -> Gateway {
    let step = format!("pipeline: [{{ plugin: hostile, config: \"request:as-asked\"{step} }}]");
    // `refusals` looks for a service of this name.
    let config = one_route(&[upstream.address], "", &step)
        .replace("  s:\n", "  users:\n")
        .replace("service: s\n", "service: users\n");
    // Little memory, so that it is used up before the time is; many calls, so that
    // the time is used up before these are; and however often the plugin fails,
    // it is called again.
    let config = format!(
        "plugins: {{ limits: {{ memory: 8MiB, host_calls: 1000000000 }}, quarantine: {{ enabled: false }} }}\n{config}"
    );
    let directory = lay_out(&[], &config);
    put(hostile(), &directory.path().join("plugins/hostile.wasm"));
    Gateway::start_in(directory, &[])
}

fn ask(client: &mut Client, deed: &str) -> Reply {
    client.get("/asked", &[("x-deed", deed)])
}

/// What can go wrong, and what metrics call it.
const DEEDS: [(&str, &str); 8] = [
    ("panic", "trap"),
    ("recurse", "trap"),
    ("exit", "trap"),
    ("hog", "memory"),
    ("spin", "deadline"),
    ("spin-in-calls", "deadline"),
    ("fail", "fail"),
    ("respond-nothing", "nonsense"),
];

#[track_caller]
fn errors(gateway: &Gateway, kind: &str) -> f64 {
    let series = format!(
        "portcullis_filter_errors_total{{route=\"r\",plugin=\"hostile\",kind=\"{kind}\",position=\"0\"}}"
    );
    gateway.metric(&series).unwrap_or(0.0)
}

#[test]
fn a_failure_is_a_problem_of_its_request_alone() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "");
    let mut client = gateway.client();
    for (deed, kind) in DEEDS {
        let before = errors(&gateway, kind);
        let failed = ask(&mut client, deed);
        assert_eq!(failed.status, 503, "{deed}");
        assert_eq!(
            failed.header("content-type"),
            "application/problem+json",
            "{deed}"
        );
        let problem = failed.json();
        assert_eq!(problem["status"], 503, "{deed}");
        assert!(problem["request_id"].is_string(), "{deed}: {problem}");
        assert!(
            !failed.text().contains("hostile"),
            "{deed}: tells too much: {problem}"
        );
        assert_eq!(errors(&gateway, kind), before + 1.0, "{deed}");

        let hits = upstream.hits();
        assert_eq!(ask(&mut client, "nothing").status, 200, "after {deed}");
        assert_eq!(upstream.hits(), hits + 1, "after {deed}");
    }
    let log = gateway.log();
    assert!(
        log.contains("it was told to"),
        "a panic's message is logged"
    );
}

#[test]
fn a_filter_that_may_be_skipped_is_skipped() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, ", on_error: skip");
    let mut client = gateway.client();
    for (deed, kind) in DEEDS {
        assert_eq!(ask(&mut client, deed).status, 200, "{deed}");
        assert!(errors(&gateway, kind) >= 1.0, "{deed}");
    }
    assert_eq!(upstream.hits(), DEEDS.len());
}

#[test]
fn what_a_plugin_may_not_change_stays_as_it_was() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "");
    let reply = ask(&mut gateway.client(), "refusals");
    assert_eq!(reply.status, 200);
    let seen = reply.json();
    // Its one good change is there; the header with a line break in it is not.
    assert_eq!(seen["path"], "/fine");
    for header in ["x-a", "c", "x-long", "content-length"] {
        assert!(seen["headers"][header].is_null(), "{header}: {seen}");
    }
}

#[test]
fn an_instance_is_reused_until_it_traps_and_per_request_never() {
    let upstream = Upstream::start("a");
    let count = |client: &mut Client| ask(client, "count").text();
    let reusing = gateway(&upstream, "");
    // One connection is served by one worker, which has one instance.
    let mut client = reusing.client();
    let counted = [count(&mut client), count(&mut client), count(&mut client)];
    assert_eq!(counted, ["0", "1", "2"]);
    assert_eq!(ask(&mut client, "panic").status, 503);
    assert_eq!(
        count(&mut client),
        "0",
        "an instance that trapped is used again"
    );

    let isolating = gateway(&upstream, ", isolation: per_request");
    let mut client = isolating.client();
    let counted = [count(&mut client), count(&mut client), count(&mut client)];
    assert_eq!(counted, ["0", "0", "0"]);
}

#[test]
fn other_routes_are_served_while_a_plugin_loops() {
    let upstream = Upstream::start("a");
    let config = format!(
        "plugins: {{ limits: {{ call_timeout: 20ms }}, quarantine: {{ enabled: false }} }}\nservices:\n  s: {{ instances: [{{ address: \"{}\" }}] }}\nroutes:\n  - name: loops\n    match: {{ path: /loops }}\n    pipeline: [{{ plugin: hostile, config: \"request:spin\" }}]\n    service: s\n  - name: fine\n    match: {{ path: /fine }}\n    service: s\n",
        upstream.address
    );
    let directory = lay_out(&[], &config);
    put(hostile(), &directory.path().join("plugins/hostile.wasm"));
    let gateway = Gateway::start_in(directory, &[]);
    let looping = Load::start(gateway.address, 2, "/loops", |reply| reply.status == 503);
    eventually("calls loop", || looping.answered() > 4);
    let mut slowest = Duration::ZERO;
    for _ in 0..40 {
        let asked = Instant::now();
        assert_eq!(gateway.get("/fine").status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let (answered, failures) = looping.stop();
    assert!(failures.is_empty(), "of {answered}: {failures:?}");
    assert_eq!(upstream.hits(), 40);
}

#[test]
fn a_plugin_that_cannot_be_configured_is_refused_at_the_start_and_a_reload() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "");
    for deed in ["panic", "spin", "hog"] {
        let before = gateway.refused_reloads();
        let config = std::fs::read_to_string(gateway.config_file()).expect("a file");
        let config = config.replace("request:as-asked", &format!("configure:{deed}"));
        put(config.as_bytes(), &gateway.config_file());
        eventually("the reload is refused", || {
            gateway.refused_reloads() > before
        });
        assert_eq!(gateway.get("/a").status, 200, "{deed}");
        let good = config.replace(&format!("configure:{deed}"), "request:as-asked");
        put(good.as_bytes(), &gateway.config_file());
        eventually("the good one is back", || {
            gateway.last_reload()["ok"] == true
        });
    }
}
