//! Every mistake: its place, its message, its hint.

use std::path::Path;

use crate::config::parse;

use super::{EXAMPLE, environment, yaml};

/// A good file that the tables put one bad line into, as line 3.
pub(super) fn file_with(line: &str) -> String {
    format!(
        "listeners: [{{ address: 127.0.0.1:8080 }}]\nservices: {{ users: {{}}, orders: {{}} }}\n{line}\n"
    )
}

#[track_caller]
pub(super) fn check(text: &str, expected: &str) {
    let shown = match yaml(text) {
        Ok(_) => "no mistake".to_owned(),
        Err(mistakes) => mistakes.to_string(),
    };
    let shown = shown.replace("dir/portcullis.yaml:", "");
    assert_eq!(shown, expected, "\n{text}");
}

#[test]
fn mistakes_of_the_whole_file() {
    let cases = [
        (
            "workers: 0",
            "3:10: workers: out of range\n  hint: a whole number from 1 to 1024",
        ),
        (
            "workers: 1.5",
            "3:10: workers: out of range\n  hint: a whole number from 1 to 1024",
        ),
        (
            "workers: two",
            "3:10: workers: expected a whole number, found text\n  hint: a whole number from 1 to 1024",
        ),
        (
            "workers: ${WRONG}",
            "3:10: workers: out of range\n  hint: a whole number from 1 to 1024",
        ),
        (
            "rotues: []",
            "3:1: rotues: unknown key\n  hint: did you mean `routes`?",
        ),
        (
            "tls: {}",
            "3:1: tls: unknown key\n  hint: known: workers, listeners, admin, plugins, services, routes, limits, trusted_proxies",
        ),
        (
            "routes: {}",
            "3:9: routes: expected a list, found a map\n  hint: write it as `- name: …`",
        ),
        (
            "admin: off",
            "3:8: admin: expected a map, found text\n  hint: its keys are: address, enabled",
        ),
        (
            "admin: { enabled: no }",
            "3:19: admin.enabled: expected true or false, found text\n  hint: without quotes",
        ),
        (
            "admin: { address: ':1' }",
            "3:19: admin.address: `:1` is not an address\n  hint: an IP address and a port: `127.0.0.1:1`, `0.0.0.0:1` for all",
        ),
        (
            "admin: { address: '127.0.0.1:8080' }",
            "1:13: listeners[0]: `127.0.0.1:8080` is taken\n  hint: the admin listener has it (at 3:8)",
        ),
        (
            "plugins: { directory: '' }",
            "3:23: plugins.directory: not a path\n  hint: a directory, relative to this file: `plugins`",
        ),
        (
            "plugins: { limits: { memory: 64kb } }",
            "3:30: plugins.limits.memory: not a size\n  hint: such as `64KiB`, `16MiB` or `1GiB`",
        ),
        (
            "plugins: { limits: { memory: 1B } }",
            "3:30: plugins.limits.memory: out of range\n  hint: from 64KiB to 4GiB",
        ),
        (
            "plugins: { quarantine: { base: 5s, max: 1s } }",
            "3:24: plugins.quarantine: `base` is longer than `max`\n  hint: a quarantine grows from `base` to `max`",
        ),
        (
            "plugins: { quarantine: { failures: 0 } }",
            "3:36: plugins.quarantine.failures: out of range\n  hint: a whole number from 1 to 1000000",
        ),
        (
            "plugins: { limits: { call_timeout: 1h } }",
            "3:36: plugins.limits.call_timeout: too long\n  hint: at most `10s`",
        ),
        (
            "limits: { head_timeout: 10 }",
            "3:25: limits.head_timeout: a duration needs a unit\n  hint: such as `10ms`, `10s` or `10h`",
        ),
        (
            "limits: { head_timeout: soon }",
            "3:25: limits.head_timeout: `soon` is not a duration\n  hint: such as `500ms`, `5s` or `1h`",
        ),
        (
            "limits: { head_timeout: 0s }",
            "3:25: limits.head_timeout: must be longer than zero\n  hint: such as `500ms`, `5s` or `1h`",
        ),
        (
            "limits: { idle_timeout: 25h }",
            "3:25: limits.idle_timeout: too long\n  hint: at most `1day`",
        ),
        (
            "limits: { head_timeout: '${WRONG}' }",
            "3:25: limits.head_timeout: the value from the environment is not a duration\n  hint: such as `500ms`, `5s` or `1h`",
        ),
        (
            "limits: 5",
            "3:9: limits: expected a map, found a number\n  hint: its keys are: request_head, request_headers, request_body, head_timeout, handshake_timeout, connections, connections_per_client, flood_penalty, requests, requests_per_connection, connection_age, keep_alive_timeout, body_timeout, body_total_timeout, write_timeout, stream_timeout, http2, connect_timeout, idle_connections, idle_timeout, tunnel_idle_timeout, drain_timeout, counters, store",
        ),
        (
            "services: {}",
            "3:1: services: `services` is there twice\n  hint: the first is at 2:1; keep one of them",
        ),
        (
            "workers: ${NOT_SET}",
            "3:10: workers: `NOT_SET` is not set in the environment\n  hint: set it, or write `$${NOT_SET}` if this text was meant",
        ),
        (
            "- a",
            "3:3: not YAML: while parsing a block mapping, did not find expected key\n  hint: look at the indentation (spaces, no tabs), the colons and the quotes before this",
        ),
    ];
    for (line, expected) in cases {
        check(&file_with(line), expected);
    }
}

#[test]
fn mistakes_of_listeners() {
    let cases = [
        (
            "workers: 1",
            "1:1: listeners: missing\n  hint: add `listeners: [{ address: \"127.0.0.1:8080\" }]`",
        ),
        (
            "listeners:",
            "1:1: listeners: missing\n  hint: add `listeners: [{ address: \"127.0.0.1:8080\" }]`",
        ),
        (
            "listeners: []",
            "1:12: listeners: without a listener no request can come in\n  hint: such as `- address: 127.0.0.1:8080`",
        ),
        (
            "listeners: [{}]",
            "1:13: listeners[0].address: missing\n  hint: add `address: 127.0.0.1:8080`",
        ),
        (
            "listeners: [{ address: 8080 }]",
            "1:24: listeners[0].address: expected text, found a number\n  hint: put it in quotes: \"8080\"",
        ),
        (
            "listeners: [{ address: '127.0.0.1:1', trusted_proxies: [10.0.0.1/8, ten, '::/129', 10.0.0.1] }]",
            "1:57: listeners[0].trusted_proxies[0]: `10.0.0.1/8` has bits beyond its prefix\n  hint: did you mean `10.0.0.0/8`?\n\
             1:69: listeners[0].trusted_proxies[1]: `ten` is not a network\n  hint: an address, and how many bits are the network's: `10.0.0.0/8`, `\"fd00::/8\"`\n\
             1:74: listeners[0].trusted_proxies[2]: `::/129` is not a network\n  hint: an address, and how many bits are the network's: `10.0.0.0/8`, `\"fd00::/8\"`",
        ),
        (
            "listeners: [{ address: '127.0.0.1:1', proxy_protocol: 10.0.0.0/8 }]",
            "1:55: listeners[0].proxy_protocol: expected true or false, found text\n  hint: without quotes",
        ),
        (
            "listeners: [{ address: 'localhost:8080' }]",
            "1:24: listeners[0].address: `localhost:8080` is not an address\n  hint: an IP address and a port: `127.0.0.1:8080`, `0.0.0.0:8080` for all",
        ),
        (
            "listeners: [{ address: 127.0.0.1 }]",
            "1:24: listeners[0].address: `127.0.0.1` is not an address\n  hint: an IP address and a port: `127.0.0.1:8080`, `[::1]:8080`",
        ),
        (
            "listeners: [{ address: '127.0.0.1:9901' }]",
            "1:13: listeners[0]: `127.0.0.1:9901` is taken\n  hint: the admin listener has it (by default)",
        ),
        (
            "listeners:\n- address: 127.0.0.1:1\n- address: 127.0.0.1:1\n",
            "3:3: listeners[1]: `127.0.0.1:1` is taken\n  hint: the listener at 2:3 has it",
        ),
        (
            "[]",
            "1:1: expected a map, found a list\n  hint: its keys are: workers, listeners, admin, plugins, services, routes, limits, trusted_proxies",
        ),
        (
            "# nothing",
            "1:1: the file is empty\n  hint: it needs at least `listeners`: a list of `address: 127.0.0.1:8080`",
        ),
        (
            "",
            "1:1: the file is empty\n  hint: it needs at least `listeners`: a list of `address: 127.0.0.1:8080`",
        ),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
}

#[test]
fn mistakes_of_services() {
    let cases = [
        (
            "a b: {}",
            "3:1: services.a b: `a b` is not a name\n  hint: 1 to 128 letters, digits, `-`, `_` and `.`, the first a letter or digit",
        ),
        (
            "a: []",
            "3:4: services.a: expected a map, found a list\n  hint: its keys are: instances, balancer, health_check, tls, protocol",
        ),
        (
            "a: { instances: [{ address: 'http://a:1/' }] }",
            "3:29: services.a.instances[0].address: `http://a:1/` is not an address\n  hint: only host and port, without scheme and path: `127.0.0.1:9001`",
        ),
        (
            "a: { instances: [{ address: 'a' }] }",
            "3:29: services.a.instances[0].address: `a` is not an address\n  hint: a host or IP address and a port: `127.0.0.1:9001`, `users.internal:80`, `[::1]:9001`",
        ),
        (
            "a: { instances: [{ address: 'a:0' }] }",
            "3:29: services.a.instances[0].address: `a:0` is not an address\n  hint: a host or IP address and a port: `127.0.0.1:9001`, `users.internal:80`, `[::1]:9001`",
        ),
        (
            "a: { instances: [{ address: 'a:1', weight: 0 }] }",
            "3:44: services.a.instances[0].weight: out of range\n  hint: a whole number from 1 to 1000000",
        ),
        (
            "a: { instances: [{ address: 'a:1' }, { address: 'A:1' }] }",
            "3:38: services.a.instances[1]: `a:1` is there twice\n  hint: the first is at 3:18; use `weight` to send more to it",
        ),
        (
            "a: { instances: [{ address: 'a:1', metadata: { zone: 1 } }] }",
            "3:54: services.a.instances[0].metadata.zone: expected text, found a number\n  hint: put it in quotes: \"1\"",
        ),
        (
            "a: { balancer: round-robin }",
            "3:16: services.a.balancer: expected a map, found text\n  hint: its keys are: plugin, config, on_error, required, isolation, allow, limits, namespace, tick",
        ),
        (
            "a: { balancer: { plugin: p, on_error: fail } }",
            "3:39: services.a.balancer.on_error: means nothing for a balancer\n  hint: a request without an instance fails: 503",
        ),
        (
            "a: { balancer: { plugin: p, isolation: per_request } }",
            "3:40: services.a.balancer.isolation: means nothing for a balancer\n  hint: one instance for each worker picks for all",
        ),
        (
            "a: { balancer: { plugin: p, tick: 1s } }",
            "3:35: services.a.balancer.tick: means nothing for a balancer\n  hint: only filters have one",
        ),
        (
            "a: { balancer: { plugin: p, limits: { table: 100001 } } }",
            "3:46: services.a.balancer.limits.table: out of range\n  hint: a whole number from 1 to 100000",
        ),
        (
            "a: { health_check: {} }",
            "3:20: services.a.health_check.path: missing\n  hint: add `path: /health`",
        ),
        (
            "a: { health_check: { path: health } }",
            "3:28: services.a.health_check.path: `health` is not a path\n  hint: such as `/health`",
        ),
        (
            "a: { health_check: { path: /, interval: 1s, timeout: 2s } }",
            "3:54: services.a.health_check.timeout: longer than the interval\n  hint: a check must end before the next one begins",
        ),
        (
            "a: { health_check: { path: /, healthy_after: 0 } }",
            "3:46: services.a.health_check.healthy_after: out of range\n  hint: a whole number from 1 to 1000",
        ),
        (
            "a: { health_check: { path: /, unhealthy_afer: 1 } }",
            "3:31: services.a.health_check.unhealthy_afer: unknown key\n  hint: did you mean `unhealthy_after`?",
        ),
    ];
    for (line, expected) in cases {
        let text = format!("listeners: [{{ address: 127.0.0.1:8080 }}]\nservices:\n  {line}\n");
        // The line is indented by two.
        let (place, rest) = expected.split_once(": ").unwrap();
        let (line, column) = place.split_once(':').unwrap();
        let column: usize = column.parse().unwrap();
        let rest = rest.replace("at 3:18", "at 3:20");
        check(&text, &format!("{line}:{}: {rest}", column + 2));
    }
}

#[test]
fn all_mistakes_are_found_in_one_run() {
    let text = EXAMPLE
        .replace("workers: 2 ", "workers: -2")
        .replace("address: 127.0.0.1:8080", "adress: 127.0.0.1:8080")
        .replace("weight: 3 }", "weight: 3.5 }")
        .replace("interval: 5s", "interval: 5")
        .replace("{*rest}", "{*}")
        .replace("JWT_SECRET", "JWT_SECRETS")
        .replace("service: users", "service: usres")
        .replace("timeout: 5s", "timeout: forever")
        .replace("attempts: 3", "attempts: 0");
    let mistakes = yaml(&text).unwrap_err();
    let shown: Vec<String> = mistakes
        .iter()
        .map(|mistake| format!("{} {}", mistake.at.line, mistake.key))
        .collect();
    assert_eq!(
        shown,
        [
            "1 workers",
            "3 listeners[0].adress",
            "3 listeners[0].address",
            "11 services.users.instances[0].weight",
            "14 services.users.health_check.interval",
            "17 routes[0].match.path",
            "20 routes[0].pipeline[0].config.secret",
            "27 routes[0].service",
            "28 routes[0].timeout",
            "29 routes[0].retries.attempts",
        ]
    );
    assert!(mistakes.iter().all(|mistake| mistake.hint.is_some()));
}

#[test]
fn other_formats_have_places_too() {
    let toml = "listeners = [{ address = \"127.0.0.1:8080\" }]\n\n[[routes]]\nname = \"a\"\nservcie = \"b\"\n";
    let json = "{\n\t\"listeners\": [{ \"address\": \"127.0.0.1:8080\" }],\n\t\"workers\": \"2\", \"workers\": 1 }";
    let cases = [
        ("toml", toml, "3:1 5:1"),
        ("toml", "workers = 1\nworkers = 2\n", "2:1"),
        ("json", json, "3:13 3:18"),
        ("json", "{ \"workers\": 1, }", "1:17"),
        ("ini", "", "1:1"),
    ];
    for (extension, text, places) in cases {
        let path = format!("portcullis.{extension}");
        let mistakes = parse(Path::new(&path), text, &environment).unwrap_err();
        let shown: Vec<String> = mistakes
            .iter()
            .map(|mistake| mistake.at.to_string())
            .collect();
        assert_eq!(shown.join(" "), places, "{mistakes}");
    }
}
