//! A plugin that fails again and again is not called for a while.

use std::time::Instant;

use crate::support::{Client, Gateway, Reply, Upstream, eventually, hostile, lay_out, put};

/// Nothing ends by itself in the time of a test.
const LONG: &str = "{ base: 1h, max: 1h }";
/// A probe is soon due.
const SHORT: &str = "{ base: 100ms, max: 100ms }";

/// A gateway with a route `/asked` whose filter does in a hook what each
/// request asks for, and a route `/fine` without.
fn gateway(upstream: &Upstream, quarantine: &str, hook: &str, step: &str) -> Gateway {
    let step = format!("{{ plugin: hostile, config: \"{hook}:as-asked\"{step} }}");
    start(&config(upstream, quarantine, "", &step))
}

fn config(upstream: &Upstream, quarantine: &str, service: &str, step: &str) -> String {
    format!(
        "plugins: {{ quarantine: {quarantine} }}\nservices:\n  s: {{ instances: [{{ address: \"{}\" }}]{service} }}\nroutes:\n  - name: r\n    match: {{ path: /asked }}\n    pipeline: [{step}]\n    service: s\n  - name: fine\n    match: {{ path: /fine }}\n    pipeline: [{{ plugin: hostile, config: \"no:deed\" }}]\n    service: s\n",
        upstream.address
    )
}

fn start(config: &str) -> Gateway {
    let directory = lay_out(&[], config);
    put(hostile(), &directory.path().join("plugins/hostile.wasm"));
    Gateway::start_in(directory, &[])
}

/// Asks on a connection of its own, and so on any worker.
fn ask(gateway: &Gateway, deed: &str) -> Reply {
    Client::new(gateway.address).get("/asked", &[("x-deed", deed)])
}

/// Calls of a hook on the route with the plugin that fails.
fn calls(gateway: &Gateway, hook: &str) -> f64 {
    let series = format!(
        "portcullis_filter_calls_total{{route=\"r\",plugin=\"hostile\",hook=\"{hook}\",position=\"0\"}}"
    );
    gateway.metric(&series).unwrap_or(0.0)
}

fn quarantines(gateway: &Gateway) -> f64 {
    let series = "portcullis_plugin_quarantines_total{plugin=\"hostile\"}";
    gateway.metric(series).expect("a series of each plugin")
}

fn view(gateway: &Gateway) -> serde_json::Value {
    gateway.admin("/api/v1/plugins").json()["plugins"][0].clone()
}

#[track_caller]
fn assert_quarantined(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("not called for a while"), "{problem}");
    assert!(problem["request_id"].is_string());
    let after: u64 = reply.header("retry-after").parse().expect("seconds");
    assert!(after >= 1);
}

#[test]
fn after_five_failures_it_is_503_without_a_call_and_other_filters_work() {
    for isolation in ["reuse", "per_request"] {
        let upstream = Upstream::start("a");
        let step = format!(", isolation: {isolation}");
        let gateway = gateway(&upstream, LONG, "request", &step);
        for _ in 0..5 {
            let failed = ask(&gateway, "panic");
            assert_eq!(failed.status, 503);
            assert_eq!(failed.header("retry-after"), "", "it was called");
        }
        let (called, hits) = (calls(&gateway, "request"), upstream.hits());
        assert_eq!(called, 5.0, "{isolation}");
        for _ in 0..20 {
            assert_quarantined(&ask(&gateway, "nothing"));
        }
        assert_eq!(calls(&gateway, "request"), called, "{isolation}");
        assert_eq!(upstream.hits(), hits, "nothing passes");
        // The same plugin with another configuration is another matter.
        assert_eq!(gateway.get("/fine").status, 200);

        let plugin = view(&gateway);
        assert_eq!(plugin["state"], "quarantined", "{plugin}");
        let shown = &plugin["quarantine"];
        assert_eq!(shown["configurations"], 2, "{shown}");
        assert_eq!(shown["quarantined"], 1, "{shown}");
        assert_eq!(shown["failures"], 5, "{shown}");
        assert!(shown["until"].as_f64() > Some(1e9), "{shown}");
        let gauge = "portcullis_plugin_quarantined{plugin=\"hostile\"}";
        assert_eq!(gateway.metric(gauge), Some(1.0));
        assert_eq!(quarantines(&gateway), 1.0);
        let refused = "portcullis_filter_errors_total{route=\"r\",plugin=\"hostile\",kind=\"quarantined\",position=\"0\"}";
        assert_eq!(gateway.metric(refused), Some(20.0));
        assert_eq!(gateway.log().matches("quarantined: the plugin").count(), 1);
    }
}

#[test]
fn where_it_may_be_skipped_requests_pass_without_a_call_of_any_hook() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, LONG, "request", ", on_error: skip");
    for _ in 0..5 {
        assert_eq!(ask(&gateway, "panic").status, 200);
    }
    let hooks = ["request", "response", "completion"];
    // The end of the last request may come after its answer.
    let completed = || calls(&gateway, "completion") >= 4.0;
    eventually("the requests are complete", completed);
    let before = hooks.map(|hook| calls(&gateway, hook));
    for _ in 0..20 {
        assert_eq!(ask(&gateway, "panic").status, 200);
    }
    assert_eq!(before, hooks.map(|hook| calls(&gateway, hook)));
    assert_eq!(upstream.hits(), 25);
}

#[test]
fn a_probe_that_fails_prolongs_it_and_one_that_works_ends_it() {
    for hook in ["request", "response"] {
        let upstream = Upstream::start("a");
        let gateway = gateway(&upstream, SHORT, hook, "");
        (0..5).for_each(|_| drop(ask(&gateway, "panic")));
        assert!(quarantines(&gateway) >= 1.0, "{hook}");
        eventually("probes fail", || {
            assert_eq!(ask(&gateway, "panic").status, 503);
            quarantines(&gateway) >= 3.0
        });
        eventually("it works again", || ask(&gateway, "nothing").status == 200);
        assert_eq!(ask(&gateway, "nothing").status, 200);
        assert_eq!(view(&gateway)["state"], "serving", "{hook}");
        let gauge = "portcullis_plugin_quarantined{plugin=\"hostile\"}";
        assert_eq!(gateway.metric(gauge), Some(0.0));
        assert_eq!(gateway.log().matches("the quarantine ends").count(), 1);
    }
}

#[test]
fn a_client_that_makes_it_fail_now_and_then_takes_it_from_nobody() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, LONG, "request", "");
    assert_eq!(ask(&gateway, "panic").status, 503);
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "nothing").status, 200);
        assert_eq!(ask(&gateway, "nothing").status, 200);
        assert_eq!(ask(&gateway, "panic").status, 503);
    }
    assert_eq!(quarantines(&gateway), 0.0);
}

#[test]
fn what_the_plugin_says_itself_is_no_fault() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, LONG, "request", "");
    for _ in 0..20 {
        let failed = ask(&gateway, "fail");
        assert_eq!(
            (failed.status.as_str(), failed.header("retry-after")),
            ("503", "")
        );
    }
    assert_eq!(calls(&gateway, "request"), 20.0);
}

#[test]
fn it_outlives_a_reload_and_a_new_version_is_clean_at_once() {
    let upstream = Upstream::start("a");
    let step = "{ plugin: hostile, config: \"request:as-asked\" }";
    let config = config(&upstream, LONG, "", step);
    let gateway = start(&config);
    (0..5).for_each(|_| drop(ask(&gateway, "panic")));
    assert_quarantined(&ask(&gateway, "nothing"));

    gateway.write_config(&format!("{config}    timeout: 7s\n"));
    eventually("it is live", || gateway.generation() == 2);
    for _ in 0..10 {
        assert_quarantined(&ask(&gateway, "nothing"));
    }

    let mut version = hostile().to_vec();
    version.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    put(&version, &gateway.plugins().join("hostile.wasm"));
    eventually("it is live", || gateway.generation() == 3);
    for _ in 0..10 {
        assert_eq!(ask(&gateway, "nothing").status, 200);
    }
    assert_eq!(view(&gateway)["quarantine"]["failures"], 0);
}

#[test]
fn a_balancer_in_quarantine_is_503_without_a_call() {
    let upstream = Upstream::start("a");
    let balancer = ", balancer: { plugin: hostile, config: \"pick:as-asked\" }";
    let gateway = start(&config(&upstream, LONG, balancer, ""));
    (0..5).for_each(|_| assert_eq!(ask(&gateway, "panic").status, 503));
    let picks = || {
        let series =
            "portcullis_balancer_calls_total{service=\"s\",plugin=\"hostile\",hook=\"pick\"}";
        gateway.metric(series)
    };
    let before = picks();
    for _ in 0..10 {
        assert_quarantined(&ask(&gateway, "nothing"));
    }
    assert_eq!(picks(), before);
    assert_eq!(before, Some(5.0));
}

#[test]
fn a_flood_of_traps_is_told_once_in_full_and_then_in_a_few_lines() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream, "{ enabled: false }", "request", "");
    let began = Instant::now();
    let mut client = gateway.client();
    for _ in 0..300 {
        let reply = client.get("/asked", &[("x-deed", "panic")]);
        assert_eq!(reply.status, 503);
    }
    // Five a second, and the first.
    let most = 5 * (began.elapsed().as_secs() as usize + 2) + 1;
    let log = gateway.log();
    let lines = log.matches("hostile: trapped").count();
    assert!((1..=most).contains(&lines), "{lines} lines:\n{log}");
    assert_eq!(log.matches("its backtrace").count(), 1, "{log}");
    assert!(log.contains("hostile::deeds::perform"), "{log}");
    assert_eq!(calls(&gateway, "request"), 300.0, "each is counted");
}
