//! `portcullis bench`: what it shows of a pipeline, and what it says when there
//! is little to show.

use std::{fs, net::SocketAddr, path::Path, process::Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{command, copy_plugin, hostile, lay_out, one_route, put};

/// Addresses that nobody listens on: nothing is connected to.
fn instances(count: u16) -> Vec<SocketAddr> {
    let address = |number: u16| SocketAddr::from(([127, 0, 0, 1], 1 + number));
    (0..count).map(address).collect()
}

/// A directory with a route `r` that has these steps, and a service with this
/// balancer.
fn route(plugins: &[&str], balancer: &str, count: u16, steps: &str) -> TempDir {
    let balancer = format!("balancer: {{ plugin: {balancer} }}");
    let steps = format!("pipeline:\n{steps}");
    lay_out(plugins, &one_route(&instances(count), &balancer, &steps))
}

fn bench(directory: &Path, more: &[&str]) -> Output {
    let file = directory.join("portcullis.yaml");
    let file = file.to_str().expect("a path of text");
    let mut arguments = vec!["bench", "--config", file, "--route", "r"];
    arguments.extend(more);
    command(&arguments, &[])
}

#[track_caller]
fn shown(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[track_caller]
fn json(directory: &Path, more: &[&str]) -> Value {
    let output = bench(directory, &[more, &["--json"]].concat());
    serde_json::from_str(&shown(&output)).expect("JSON")
}

/// Plugin and hook of every row, with what it has under a pointer.
fn rows(report: &Value, pointer: &str) -> Vec<(String, String, u64)> {
    let hooks = report["hooks"].as_array().expect("a list");
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    let number = |row: &Value| row.pointer(pointer).and_then(Value::as_u64);
    hooks
        .iter()
        .map(|row| {
            let number = number(row).unwrap_or_default();
            (text(row, "plugin"), text(row, "hook"), number)
        })
        .collect()
}

const PLUGINS: [&str; 3] = ["circuit-breaker", "headers", "least-connections"];

const STEPS: &str = "  - plugin: circuit-breaker
  - plugin: headers
    config: { request: { set: { x-a: \"1\" } }, response: { set: { x-b: \"{instance}\" } } }
";

#[test]
fn every_filter_and_hook_has_a_row_with_what_it_costs() {
    let directory = route(&PLUGINS, "least-connections", 2, STEPS);
    let report = json(directory.path(), &["--count", "200"]);
    let hooks = [
        ("circuit-breaker", "request"),
        ("circuit-breaker", "completion"),
        ("headers", "request"),
        ("headers", "response"),
        ("least-connections", "pick"),
    ];
    let expected = hooks.map(|(plugin, hook)| (plugin.to_owned(), hook.to_owned(), 200));
    assert_eq!(rows(&report, "/calls"), expected);
    for pointer in ["/work/instructions", "/work/host_calls"] {
        for (plugin, hook, count) in rows(&report, pointer) {
            assert!(count > 0, "{plugin} {hook} {pointer}");
        }
    }
    let shares: f64 = (report["hooks"].as_array().expect("a list").iter())
        .map(|row| row["share"].as_f64().expect("a share"))
        .sum();
    assert!((shares - 1.0).abs() < 1e-6, "{shares}");
    assert!(report["whole"]["cpu_ns"].as_f64() > Some(0.0), "{report}");
    assert_eq!(report["remarks"], Value::Array(Vec::new()));
    // What is counted is the same every time.
    let again = json(directory.path(), &["--count", "50"]);
    for pointer in ["/work/instructions", "/work/bytes_to_plugin"] {
        assert_eq!(rows(&report, pointer), rows(&again, pointer), "{pointer}");
    }

    let table = shown(&bench(directory.path(), &["--count", "200"]));
    for (plugin, hook) in hooks {
        let row = table
            .lines()
            .find(|line| line.contains(plugin) && line.contains(hook));
        assert!(row.is_some_and(|row| row.contains(" 200 ")), "{table}");
    }
    assert!(table.contains("\nwhole "), "{table}");
}

#[test]
fn a_filter_that_answers_is_named_and_later_ones_did_not_run() {
    let steps = "  - plugin: jwt-auth
    config: { algorithms: [HS256], secret: at-least-thirty-two-bytes-of-secret }
  - plugin: headers
    config: { request: { set: { x-a: \"1\" } } }
";
    let directory = route(
        &["jwt-auth", "headers", "round-robin"],
        "round-robin",
        1,
        steps,
    );
    let table = shown(&bench(directory.path(), &["--count", "20"]));
    assert!(
        table.contains("step 0 `jwt-auth` answered every request with 401"),
        "{table}"
    );
    assert!(table.contains("hint: ") && table.contains("--request FILE"));
    let calls = rows(&json(directory.path(), &["--count", "20"]), "/calls");
    assert_eq!(calls[0].2, 20);
    assert!(
        calls[1..].iter().all(|(_, _, calls)| *calls == 0),
        "{calls:?}"
    );
}

#[test]
fn a_limit_that_is_reached_is_not_all_that_is_measured() {
    let steps = "  - plugin: rate-limit
    config: { requests: 10, per: 1m, key: client_ip }
";
    let directory = route(&["rate-limit", "round-robin"], "round-robin", 1, steps);
    let report = json(directory.path(), &["--count", "200"]);
    let answers = rows(&report, "/answers")[0].2;
    assert!((10..30).contains(&answers), "{answers} of 200");
    let said = report["remarks"][0].as_str().expect("a remark");
    assert!(said.contains("`rate-limit` answered with 429"), "{said}");
}

#[test]
fn a_filter_that_traps_is_said_to_fail() {
    let steps = "  - plugin: hostile\n    config: \"request:panic\"\n";
    let directory = route(&["round-robin"], "round-robin", 1, steps);
    put(hostile(), &directory.path().join("plugins/hostile.wasm"));
    let table = shown(&bench(directory.path(), &["--count", "20"]));
    let said = "step 0 `hostile` failed in every call of its request hook";
    assert!(table.contains(said) && table.contains("trap"), "{table}");
}

#[test]
fn a_request_from_a_file_is_used_and_its_mistakes_have_a_line() {
    let directory = route(&PLUGINS, "least-connections", 2, STEPS);
    let file = directory.path().join("request.http");
    let file_name = file.to_str().expect("a path of text");
    fs::write(&file, "POST /asked?for=1 HTTP/1.1\nHost: a\nX-A: 1\n").unwrap();
    let report = json(directory.path(), &["--count", "10", "--request", file_name]);
    assert_eq!(report["request"], "POST /asked?for=1");

    for (text, line, message) in [
        (
            "GET /a HTTP/1.1\nHost: a\nno colon\n",
            3,
            "invalid header name",
        ),
        ("GET /a HTTP/1.1\n", 1, "the Host header is missing"),
    ] {
        fs::write(&file, text).unwrap();
        let output = bench(directory.path(), &["--request", file_name]);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8_lossy(&output.stderr);
        let expected = format!("{file_name}:{line}: {message}\n  hint: ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn what_cannot_be_measured_is_said() {
    let directory = route(&PLUGINS, "least-connections", 2, STEPS);
    let file = directory.path().join("portcullis.yaml");
    let file = file.to_str().expect("a path of text");
    for (arguments, code, said) in [
        (
            ["--route", "q"],
            1,
            "there is no route `q`\n  hint: there is r",
        ),
        (["--seconds", "0"], 2, "--seconds"),
        (["--step", "0"], 2, "--compare"),
    ] {
        let mut all = vec!["bench", "--config", file];
        if arguments[0] != "--route" {
            all.extend(["--route", "r"]);
        }
        all.extend(arguments);
        let output = command(&all, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

/// The verdict on two files in place of the balancer.
fn compared(directory: &Path, old: &str, new: &str) -> Value {
    let file = |plugin: &str| directory.join(format!("{plugin}.wasm"));
    for plugin in [old, new] {
        copy_plugin(plugin, &file(plugin));
    }
    let files = [file(old), file(new)];
    let [old, new] = files.map(|file| file.to_str().expect("a path of text").to_owned());
    let more = [
        "--count",
        "4000",
        "--step",
        "balancer",
        "--compare",
        &old,
        &new,
    ];
    let report = json(directory, &more);
    report["hooks"][0]["difference"].clone()
}

#[test]
fn the_same_file_twice_makes_no_difference() {
    let directory = route(&["round-robin"], "round-robin", 3, "  []\n");
    let difference = compared(directory.path(), "round-robin", "round-robin");
    let verdict = "no difference that this run can see";
    assert_eq!(difference["verdict"], verdict, "{difference}");
}

#[test]
fn one_that_looks_at_every_instance_is_slower_than_one_that_does_not() {
    let directory = route(&["round-robin"], "round-robin", 400, "  []\n");
    for (old, new, verdict) in [
        ("round-robin", "least-connections", "slower"),
        ("least-connections", "round-robin", "faster"),
    ] {
        let difference = compared(directory.path(), old, new);
        assert_eq!(difference["verdict"], verdict, "{difference}");
    }
}
