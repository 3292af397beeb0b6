//! `portcullis check` and `plugin inspect`: every mistake at once, and what
//! scripts can rely on.

use std::{fs, process::Output};

use crate::support::{check, command, lay_out, plugin_bytes};

/// One mistake of each kind, and then some.
const WRONG: &str = r#"listeners:
  - address: 127.0.0.1:8080
wrokers: 2
services:
  users:
    instances: [{ address: "127.0.0.1:9001" }]
    balancer: { plugin: hello-filter }
routes:
  - name: users
    match: { path: /api/users }
    pipeline:
      - plugin: jwt-auth
        config: { algorithms: [HS256], secret: "${NO_SUCH_SECRET}", isuer: x }
      - plugin: rate-limt
      - plugin: rate-limit
        config:
          requests: many
          per: 1m
      - plugin: hello-filter
        config: { name: "" }
    service: users
    timeout: soon
  - name: lost
    match: { path: /lost }
    service: usres
  - name: users-again
    match: { path: /api/users }
    service: users
  - name: half
    match: { path: half }
    pipeline: [{ plugin: hello-filter, config: { nmae: Ann } }]
"#;

/// Line and key of each mistake, and a part of its message and of its hint.
const MISTAKES: [(usize, &str, &str, &str); 12] = [
    (3, "wrokers", "unknown key", "did you mean `workers`?"),
    (
        7,
        "services.users.balancer.plugin",
        "is no balancer",
        "round-robin",
    ),
    (
        13,
        "routes[0].pipeline[0].config.secret",
        "`NO_SUCH_SECRET` is not set in the environment",
        "set it",
    ),
    (
        13,
        "routes[0].pipeline[0].config.isuer",
        "unknown key",
        "`issuer`",
    ),
    (
        14,
        "routes[0].pipeline[1].plugin",
        "there is no plugin `rate-limt`",
        "rate-limit",
    ),
    (
        17,
        "routes[0].pipeline[2].config.requests",
        "",
        "plugin inspect",
    ),
    (
        20,
        "routes[0].pipeline[3].config",
        "there is nobody to greet",
        "plugin inspect",
    ),
    (22, "routes[0].timeout", "`soon` is not a duration", "5s"),
    (
        25,
        "routes[1].service",
        "there is no service `usres`",
        "did you mean `users`?",
    ),
    (
        26,
        "routes",
        "`users-again` matches exactly what route `users`",
        "make one differ",
    ),
    (
        30,
        "routes[3].match.path",
        "a path begins with `/`",
        "such as",
    ),
    (
        31,
        "routes[3].pipeline[0].config.nmae",
        "unknown key",
        "plugin inspect",
    ),
];

const PLUGINS: [&str; 4] = ["hello-filter", "jwt-auth", "rate-limit", "round-robin"];

#[track_caller]
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn every_mistake_is_told_in_one_run_with_its_line_and_a_hint() {
    let output = check(&PLUGINS, WRONG, &[]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    let lines: Vec<&str> = shown.lines().collect();
    let found: Vec<(&str, &str)> = lines
        .chunks(2)
        .map(|pair| (pair[0], *pair.get(1).unwrap_or(&"")))
        .collect();
    assert_eq!(found.len(), MISTAKES.len(), "{shown}");
    for ((line, key, message, hint), (told, way_out)) in MISTAKES.iter().zip(found) {
        let place = told
            .split_once("portcullis.yaml:")
            .map_or("", |(_, rest)| rest);
        assert!(
            place.starts_with(&format!("{line}:")),
            "line {line}: {told}"
        );
        assert!(told.contains(&format!(" {key}: ")), "{key}: {told}");
        assert!(told.contains(message), "{message}: {told}");
        assert!(way_out.starts_with("  hint: "), "{told}\n{way_out}");
        assert!(way_out.contains(hint), "{hint}: {told}\n{way_out}");
    }
}

#[test]
fn run_tells_the_same_and_does_not_start() {
    let directory = lay_out(&PLUGINS, "");
    let file = directory.path().join("portcullis.yaml");
    fs::write(&file, WRONG).unwrap();
    let file = file.to_str().unwrap();
    let run = command(&["run", "--config", file], &[]);
    let checked = command(&["check", "--config", file], &[]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(text(&run.stderr), text(&checked.stderr));
}

#[test]
fn the_quickstart_is_good() {
    let plugins = [
        "circuit-breaker",
        "headers",
        "hello-filter",
        "jwt-auth",
        "key-auth",
        "least-connections",
        "rate-limit",
        "rewrite",
        "traffic-split",
        "weighted-round-robin",
    ];
    let config = include_str!("../../../examples/quickstart/portcullis.yaml");
    let secret = ("JWT_SECRET", "at-least-thirty-two-bytes-of-secret");
    let output = check(&plugins, config, &[secret]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let good = text(&output.stdout);
    assert!(
        good.starts_with("good: 6 routes, 4 services, 10 plugins"),
        "{good}"
    );

    let without = check(&plugins, config, &[]);
    assert_eq!(without.status.code(), Some(1));
    let shown = text(&without.stderr);
    assert!(shown.contains("`JWT_SECRET` is not set"), "{shown}");
    assert_eq!(shown.matches("hint: ").count(), 1, "{shown}");
}

#[test]
fn a_file_that_is_no_plugin_is_a_mistake_only_where_it_is_used() {
    let directory = lay_out(&["hello-filter"], "");
    let whole = plugin_bytes("hello-filter");
    fs::write(
        directory.path().join("plugins/half.wasm"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    let file = directory.path().join("portcullis.yaml");
    let check_with = |plugin: &str| {
        let config = format!(
            "listeners: [{{ address: \"127.0.0.1:0\" }}]\nroutes:\n  - name: a\n    pipeline: [{{ plugin: {plugin} }}]\n"
        );
        fs::write(&file, config).unwrap();
        command(&["check", "--config", file.to_str().unwrap()], &[])
    };
    assert_eq!(check_with("hello-filter").status.code(), Some(0));
    let used = check_with("half");
    let shown = text(&used.stderr);
    assert_eq!(used.status.code(), Some(1), "{shown}");
    assert!(shown.contains("portcullis.yaml:4:"), "{shown}");
    assert!(shown.contains("half.wasm cannot be used: "), "{shown}");
}

#[test]
fn imports_are_held_against_grants() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nroutes:\n  - name: a\n    pipeline:\n      - plugin: rate-limit\n        config: { requests: 1, per: 1s }\n        allow: { counters: false }\n";
    let output = check(&["rate-limit"], config, &[]);
    let shown = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("routes[0].pipeline[0].allow: "), "{shown}");
    assert!(shown.contains("`allow: { counters: true }`"), "{shown}");
    assert!(
        shown.contains("needs what is not granted: portcullis:gateway/counters@0.1.0"),
        "{shown}"
    );
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let usage: [&[&str]; 5] = [
        &[],
        &["serve"],
        &["run"],
        &["check", "--confg", "a.yaml"],
        &["plugin", "inspect"],
    ];
    for arguments in usage {
        let output = command(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: "), "{arguments:?}");
    }
    let failures: [&[&str]; 2] = [
        &["check", "--config", "not-there.yaml"],
        &["plugin", "inspect", "not-there.wasm"],
    ];
    for arguments in failures {
        let output = command(arguments, &[]);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains("not-there."), "{arguments:?}");
    }
}

#[test]
fn inspect_shows_what_a_plugin_is() {
    let inspect = |file: &str| -> Output {
        let directory = lay_out(&["jwt-auth", "round-robin"], "");
        fs::write(directory.path().join("plugins/text.wasm"), "no component").unwrap();
        let file = directory.path().join("plugins").join(file);
        command(&["plugin", "inspect", file.to_str().unwrap()], &[])
    };
    let output = inspect("jwt-auth.wasm");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let size = format!("size:     {} bytes", plugin_bytes("jwt-auth").len());
    for part in [
        "name:     jwt-auth",
        "version:  0.1.0",
        "summary:  ",
        &size,
        "sha256:   ",
        "exports:  ",
        "request",
        "portcullis:gateway/crypto@0.1.0",
        "wants:    counters, store (if a step says `allow: { store: true }`), http (if",
        "config schema:",
        "\"algorithms\"",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    assert!(text(&inspect("round-robin.wasm").stdout).contains("balancer"));
    let no_plugin = inspect("text.wasm");
    assert_eq!(no_plugin.status.code(), Some(1));
    assert!(text(&no_plugin.stderr).contains("text.wasm: "));
}
