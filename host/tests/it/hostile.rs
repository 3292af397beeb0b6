//! What no plugin may do to the gateway, case by case. The numbers are those by
//! which the cases are known; where the test is not in this file, it is named.
//!
//! | case | what a plugin does | what must happen | shown by |
//! |---|---|---|---|
//! | 36 | loops: in its start function, in `configure`, in every hook, within a bulk instruction | 503 within its budget | [`a_loop_in_any_hook_ends_within_its_budget`] here; `plugin/tests/loading.rs`: `a_start_function_without_end_is_stopped`; `plugin/tests/misbehaviour.rs`: `a_loop_in_configure_ends_at_the_start_timeout`; `traps.rs`: `a_plugin_that_cannot_be_configured_is_refused_at_the_start_and_a_reload` |
//! | 37 | takes memory, makes tables larger, recurses | 503, counted, and the gateway grows no further | [`bombs_are_refused_and_counted_and_the_gateway_stays_small`] here |
//! | 38 | makes a million handles, giant texts, wants endless random bytes | an error of that call | `hostile_words.rs`: `what_is_too_much_is_refused_and_nothing_of_it_stays` |
//! | 39 | sets 33,000 headers, line breaks, NUL, pseudo-headers, fields of the gateway's | refused, and never a panic | `hostile_words.rs`: `nothing_gets_out_that_a_client_could_not_send`, `fields_without_number_are_refused`; `plugin/host/fields.rs` |
//! | 40 | runs while its client leaves, ten thousand times | no memory, descriptor or request stays | `hostile_clients.rs`: `ten_thousand_clients_that_leave_leave_nothing_behind` |
//! | 41 | has a hook for a response that nobody waits for | it is not called; completion is, once | `hostile_clients.rs`: `who_left_gets_no_response_hook_and_one_completion` |
//! | 42 | traps | 503 at once, and the next request has a fresh instance | [`a_trap_is_answered_at_once_and_the_next_request_starts_afresh`] here; `traps.rs`: `an_instance_is_reused_until_it_traps_and_per_request_never` |
//! | 43 | leaves a secret in its memory | nobody who gets that memory next sees it | [`what_one_instance_leaves_in_memory_no_other_sees`] here; `plugin/tests/misbehaviour.rs`: `the_memory_of_one_instance_is_never_seen_by_another` |
//! | 44 | meets a panic of the gateway's own | one failed call | `plugin/instance.rs`: `a_panic_of_the_gateway_itself_is_one_failed_call` |
//! | 45 | imports what it was not granted, or what does not exist | refused when it is loaded, with the import's name | `hostile_files.rs`: `an_import_that_does_not_exist_is_refused_by_name`; `plugin/tests/linking.rs`: `what_is_not_granted_is_named` |
//! | 46 | is malformed, truncated, of 100 MiB, a core module, machine code | refused with a reason, and what ran runs on | `hostile_files.rs`: `a_file_that_is_no_plugin_is_refused_and_what_ran_runs_on`; `reload.rs`: `a_broken_plugin_changes_nothing_and_says_why` |
//! | 47 | has requests come back to the gateway | the circle ends | [`a_gateway_that_is_its_own_upstream_ends_the_circle`] here; a plugin has no connections of its own: `plugin/tests/calls.rs`: `the_world_outside_is_empty_and_the_clock_goes` |

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::support::{
    Gateway, Upstream, Wire, eventually, hostile, one_route, peak_memory, raw, raw_with,
    resident_memory, start_with_files,
};

/// A route of that name and path whose only step is this.
fn route(name: &str, step: &str, service: &str) -> String {
    format!(
        "  - name: {name}\n    match: {{ path: /{name} }}\n    pipeline: [{step}]\n    service: {service}\n"
    )
}

/// The step of a plugin that is told what to do.
fn told(deed: &str) -> String {
    format!("{{ plugin: hostile, config: \"{deed}\" }}")
}

fn services(upstream: SocketAddr, balancers: &[&str]) -> String {
    let plain = format!("services:\n  s: {{ instances: [{{ address: \"{upstream}\" }}] }}\n");
    let balanced = balancers.iter().map(|hook| {
        let balancer = told(&format!("{hook}:spin"));
        format!(
            "  {hook}: {{ instances: [{{ address: \"{upstream}\" }}], balancer: {balancer} }}\n"
        )
    });
    plain + &balanced.collect::<String>()
}

/// One request on a connection of its own, and how long its answer took. A
/// gateway that never answers ends the test.
#[track_caller]
fn status(gateway: &Gateway, path: &str) -> (u16, Duration) {
    let mut wire = Wire::connect(gateway.address);
    let asked = Instant::now();
    wire.send(format!("GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    (wire.reply().status.as_u16(), asked.elapsed())
}

fn errors(gateway: &Gateway, route: &str, plugin: &str, kind: &str) -> f64 {
    let series = format!(
        "portcullis_filter_errors_total{{route=\"{route}\",plugin=\"{plugin}\",kind=\"{kind}\",position=\"0\"}}"
    );
    gateway.metric(&series).unwrap_or(0.0)
}

const BUDGET: Duration = Duration::from_millis(100);

/// What a machine that does other things may be late. `cargo xtask soak hostile`
/// measures how late it is where it is alone.
const LATE: Duration = Duration::from_secs(2);

/// Case 36.
#[test]
fn a_loop_in_any_hook_ends_within_its_budget() {
    let upstream = Upstream::start("a");
    let config = [
        services(upstream.address, &["pick", "instances"]),
        "routes:\n".into(),
        route("request", &told("request:spin"), "s"),
        route("response", &told("response:spin"), "s"),
        route("completion", &told("completion:spin"), "s"),
        route("bulk", "{ plugin: fill }", "s"),
        route("picks", &told("request:nothing"), "pick"),
        route("told", &told("request:nothing"), "instances"),
        route("fine", &told("request:nothing"), "s"),
    ]
    .concat();
    let files = [("hostile", hostile()), ("fill", &raw("fill"))];
    let gateway = start_with_files(&files, "{ call_timeout: 100ms }", &config);
    for (name, expected) in [
        ("request", 503),
        ("response", 503),
        ("bulk", 503),
        ("picks", 503),
        ("told", 503),
    ] {
        let (answered, took) = status(&gateway, name);
        assert_eq!(answered, expected, "{name}");
        assert!(took >= BUDGET, "{name}: stopped early, after {took:?}");
        assert!(took < BUDGET + LATE, "{name}: stopped after {took:?}");
        assert_eq!(status(&gateway, "fine").0, 200, "after {name}");
    }
    // Who was answered already does not notice.
    assert_eq!(status(&gateway, "completion").0, 200);
    for (route, plugin) in [
        ("request", "hostile"),
        ("response", "hostile"),
        ("completion", "hostile"),
        ("bulk", "fill"),
    ] {
        eventually("the deadline is counted", || {
            errors(&gateway, route, plugin, "deadline") == 1.0
        });
    }
    assert_eq!(status(&gateway, "fine").0, 200);
}

/// Case 37.
#[test]
fn bombs_are_refused_and_counted_and_the_gateway_stays_small() {
    let upstream = Upstream::start("a");
    let bombs = [
        ("grow-memory", "memory"),
        ("grow-table", "trap"),
        ("recurse", "trap"),
    ];
    let routes = bombs.map(|(bomb, _)| route(bomb, &format!("{{ plugin: {bomb} }}"), "s"));
    let config = [
        services(upstream.address, &[]),
        "routes:\n".into(),
        routes.concat(),
        route("hog", &told("request:hog"), "s"),
        route("fine", &told("request:nothing"), "s"),
    ]
    .concat();
    let built = bombs.map(|(bomb, _)| (bomb, raw(bomb)));
    let mut files: Vec<(&str, &[u8])> = built.iter().map(|(n, b)| (*n, &**b)).collect();
    files.push(("hostile", hostile()));
    // Time enough that memory, and not time, is what runs out.
    let limits = "{ memory: 32MiB, call_timeout: 5s }";
    let gateway = start_with_files(&files, limits, &config);
    assert_eq!(status(&gateway, "fine").0, 200);
    let before = resident_memory(gateway.pid());
    for round in 1..=4 {
        for (bomb, kind) in bombs.into_iter().chain([("hog", "memory")]) {
            let plugin = if bomb == "hog" { "hostile" } else { bomb };
            assert_eq!(status(&gateway, bomb).0, 503, "{bomb}");
            let counted = errors(&gateway, bomb, plugin, kind);
            assert_eq!(counted, f64::from(round), "{bomb}");
            assert_eq!(status(&gateway, "fine").0, 200, "after {bomb}");
        }
    }
    // Sixteen bombs, of which never more than the limit may be there and nothing
    // may stay.
    let (peak, now) = (peak_memory(gateway.pid()), resident_memory(gateway.pid()));
    assert!(
        peak < before + (96 << 20),
        "{peak} bytes at most, {before} before"
    );
    assert!(now < before + (48 << 20), "{now} bytes, {before} before");
}

/// Case 42.
#[test]
fn a_trap_is_answered_at_once_and_the_next_request_starts_afresh() {
    let upstream = Upstream::start("a");
    let step = format!("pipeline: [{}]", told("request:as-asked"));
    let config = one_route(&[upstream.address], "", &step);
    let files = [("hostile", hostile())];
    let gateway = start_with_files(&files, "{ call_timeout: 10s }", &config);
    let mut client = gateway.client();
    let mut count = || client.get("/a", &[("x-deed", "count")]).text();
    assert_eq!([count(), count()], ["0", "1"]);
    for deed in ["panic", "recurse"] {
        let asked = Instant::now();
        assert_eq!(client.get("/a", &[("x-deed", deed)]).status, 503, "{deed}");
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(5), "{deed}: only after {took:?}");
        let count = client.get("/a", &[("x-deed", "count")]).text();
        assert_eq!(count, "0", "after {deed}");
    }
}

/// Case 43. The plugin traps if its memory or its table is not as a fresh one
/// is, and then leaves a secret in both.
#[test]
fn what_one_instance_leaves_in_memory_no_other_sees() {
    let upstream = Upstream::start("a");
    let step =
        |plugin: &str, isolation: &str| format!("{{ plugin: {plugin}, isolation: {isolation} }}");
    let config = [
        services(upstream.address, &[]),
        "routes:\n".into(),
        route("one", &step("one", "per_request"), "s"),
        route("other", &step("other", "per_request"), "s"),
        route("again", &step("one", "reuse"), "s"),
    ]
    .concat();
    let one = raw_with("remember", "@SECRET@", "0x11");
    let other = raw_with("remember", "@SECRET@", "0x22");
    let files = [("one", &*one), ("other", &*other)];
    let gateway = start_with_files(&files, "{}", &config);
    let mut client = gateway.client();
    for round in 0..200 {
        for path in ["/one", "/other"] {
            assert_eq!(client.get(path, &[]).status, 200, "{path}, round {round}");
        }
    }
    // Itself it sees, when it is called again: the test can tell.
    let mut again = || client.get("/again", &[]).status.as_u16();
    assert_eq!([again(), again()], [200, 503]);
}

/// Case 47.
#[test]
fn a_gateway_that_is_its_own_upstream_ends_the_circle() {
    let upstream = Upstream::start("a");
    let gateway = start_with_files(&[], "{}", &one_route(&[upstream.address], "", ""));
    assert_eq!(gateway.get("/a").status, 200);
    gateway.write_config(&one_route(&[gateway.address], "", ""));
    eventually("the circle is closed", || gateway.generation() > 1);
    let reply = gateway.get("/a");
    assert_eq!(reply.status, 508, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let forwarded = gateway.metric("portcullis_requests_total{route=\"r\",status=\"508\"}");
    assert_eq!(
        forwarded,
        Some(10.0),
        "{}",
        gateway.admin("/metrics").text()
    );
}

/// Case 47: nor does a filter open it that leaves out where a request has been.
#[test]
fn a_circle_ends_whatever_a_filter_leaves_out() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&["headers"], &one_route(&[upstream.address], "", ""));
    let forgets = "pipeline: [{ plugin: headers, config: { request: { remove: [via] } } }]";
    gateway.write_config(&one_route(&[gateway.address], "", forgets));
    eventually("the circle is closed", || gateway.generation() > 1);
    assert_eq!(gateway.get("/a").status, 508);
    let forwarded = gateway.metric("portcullis_requests_total{route=\"r\",status=\"508\"}");
    assert_eq!(forwarded, Some(10.0));
}
