//! What filters do before the first request, and now and again.

use crate::support::{
    Gateway, Upstream, asking, command, eventually, lay_out, one_route, put, start_with_files,
};

/// A route through the plugin that does this in the background.
fn config(upstream: &Upstream, deed: &str, step: &str) -> String {
    let plugin = format!("plugin: asking, config: \"{deed}\", allow: {{ http: [s] }}{step}");
    // A service is asked by its address as well, so that both ways are gone.
    let plugin = plugin.replace("[s]", &format!("[s, \"http://{}\"]", upstream.address));
    one_route(
        &[upstream.address],
        "",
        &format!("pipeline: [{{ {plugin} }}]"),
    )
}

fn start(upstream: &Upstream, deed: &str, step: &str) -> Gateway {
    start_with_files(&[("asking", asking())], "{}", &config(upstream, deed, step))
}

fn count(gateway: &Gateway, counter: &str) -> u64 {
    let deed = format!("count {counter}");
    let reply = gateway.client().get("/", &[("x-do", &deed)]);
    reply.text().parse().unwrap_or(0)
}

fn ticks(gateway: &Gateway) -> f64 {
    let labels = "{route=\"r\",plugin=\"asking\",hook=\"tick\",position=\"0\"}";
    let series = format!("portcullis_filter_calls_total{labels}");
    gateway.metric(&series).unwrap_or(0.0)
}

#[test]
fn a_filter_starts_once_with_each_configuration_before_its_first_request() {
    let upstream = Upstream::start("a");
    let url = format!("http://{}/start", upstream.address);
    let gateway = start(&upstream, &format!("start {url}"), "");
    assert_eq!(
        upstream.hits(),
        1,
        "before anything was asked of the gateway"
    );
    assert_eq!(count(&gateway, "starts"), 1, "with two workers");

    // Something else changes, and then its own configuration.
    let other = config(&upstream, &format!("start {url}"), "").replace("name: r", "name: other");
    gateway.write_config(&other);
    eventually("it is reloaded", || gateway.generation() == 2);
    assert_eq!(count(&gateway, "starts"), 1);
    gateway.write_config(&config(&upstream, &format!("start {url}2"), ""));
    eventually("it is reloaded", || gateway.generation() == 3);
    assert_eq!(count(&gateway, "starts"), 2);

    // One that cannot start is refused, and what ran runs on.
    upstream.answer_with(500);
    gateway.write_config(&config(&upstream, &format!("start {url}3"), ""));
    eventually("it is refused", || gateway.refused_reloads() == 1.0);
    let error = gateway.last_reload()["error"].to_string();
    assert!(
        error.contains("cannot start") && error.contains("says 500"),
        "{error}"
    );
    assert_eq!(gateway.generation(), 3);
    assert_eq!(gateway.get("/").status, 500);
}

#[test]
fn a_filter_that_cannot_start_keeps_the_gateway_from_starting_and_check_does_not_try() {
    let upstream = Upstream::start("a");
    upstream.answer_with(503);
    let url = format!("http://{}/", upstream.address);
    let directory = lay_out(&[], &config(&upstream, &format!("start {url}"), ""));
    put(asking(), &directory.path().join("plugins/asking.wasm"));
    let file = directory.path().join("portcullis.yaml");
    let file = file.to_str().expect("a path of text");
    let output = command(&["run", "--config", file], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("routes[0].pipeline[0].config"), "{said}");
    assert!(
        said.contains("cannot start") && said.contains("says 503"),
        "{said}"
    );
    let hits = upstream.hits();
    assert!(command(&["check", "--config", file], &[]).status.success());
    assert_eq!(upstream.hits(), hits, "nothing is asked to try");
}

#[test]
fn a_start_that_takes_too_long_is_given_up() {
    let upstream = Upstream::start("a");
    upstream.delay(std::time::Duration::from_secs(60));
    let url = format!("http://{}/", upstream.address);
    let config = config(
        &upstream,
        &format!("start {url}"),
        ", limits: { start_timeout: 300ms }",
    );
    let directory = lay_out(&[], &config);
    put(asking(), &directory.path().join("plugins/asking.wasm"));
    let file = directory.path().join("portcullis.yaml");
    let file = file.to_str().expect("a path of text");
    let output = command(&["run", "--config", file], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("waited for longer than it may (300ms)"),
        "{said}"
    );
}

#[test]
fn a_filter_ticks_on_one_worker_and_ends_with_its_generation() {
    let upstream = Upstream::start("a");
    let url = format!("http://{}/tick", upstream.address);
    let gateway = start(&upstream, &format!("tick {url}"), ", tick: 100ms");
    // Nobody asks anything of the gateway meanwhile.
    eventually("it has ticked", || ticks(&gateway) >= 3.0);
    eventually("and asked", || count(&gateway, "answers") >= 3);

    gateway.write_config(&config(&upstream, "nothing", ", tick: 1h"));
    eventually("it is reloaded", || gateway.generation() == 2);
    let last = || (count(&gateway, "ticks"), ticks(&gateway));
    let mut before = (0, 0.0);
    eventually("it ticks no more", || {
        std::thread::park_timeout(std::time::Duration::from_millis(250));
        let now = last();
        std::mem::replace(&mut before, now) == now
    });
}

#[test]
fn a_tick_that_fails_is_a_failure_of_its_plugin_and_another_comes() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "tick trap", ", tick: 100ms");
    let labels = "{route=\"r\",plugin=\"asking\",kind=\"trap\",position=\"0\"}";
    let series = format!("portcullis_filter_errors_total{labels}");
    let traps = || gateway.metric(&series).unwrap_or(0.0);
    eventually("it fails again and again", || traps() >= 5.0);
    let quarantines = "portcullis_plugin_quarantines_total{plugin=\"asking\"}";
    eventually("it is quarantined", || {
        gateway.metric(quarantines).unwrap_or(0.0) >= 1.0
    });
    assert_eq!(gateway.get("/").status, 503);
    let before = traps();
    eventually("it is tried again", || traps() > before);
    // Whoever mends it is served at once.
    gateway.write_config(&config(&upstream, "nothing", ", tick: 100ms"));
    eventually("it serves", || gateway.get("/").status == 200);
}

#[test]
fn a_tick_of_who_does_not_tick_is_a_mistake() {
    let upstream = Upstream::start("a");
    let step = |tick: &str| {
        let step = format!("pipeline: [{{ plugin: headers, config: {{}}, tick: {tick} }}]");
        let route = one_route(&[upstream.address], "", &step);
        format!("listeners: [{{ address: \"127.0.0.1:0\" }}]\n{route}")
    };
    for (tick, expected) in [
        ("1s", "the plugin `headers` has no tick hook"),
        ("50ms", "too short"),
        ("0s", "must be longer than zero"),
    ] {
        let output = crate::support::check(&["headers"], &step(tick), &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("routes[0].pipeline[0].tick"),
            "{tick}: {said}"
        );
        assert!(said.contains(expected), "{tick}: {said}");
    }
}
