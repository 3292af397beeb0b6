//! Every mistake in routes: its place, its message, its hint.

use super::mistakes::{check, file_with};

/// A good file with one bad line in its route, as line 6.
fn route_with(line: &str) -> String {
    file_with(&format!("routes:\n- name: a\n  service: users\n  {line}"))
}

#[test]
fn mistakes_of_routes() {
    let cases = [
        (
            "timeout: 5",
            "6:12: routes[0].timeout: a duration needs a unit\n  hint: such as `5ms`, `5s` or `5h`",
        ),
        (
            "timout: 5s",
            "6:3: routes[0].timout: unknown key\n  hint: did you mean `timeout`?",
        ),
        (
            "limits: { body_time: 5s }",
            "6:13: routes[0].limits.body_time: unknown key\n  hint: did you mean `body_timeout`?",
        ),
        (
            "limits: { body_total_timeout: 31d }",
            "6:33: routes[0].limits.body_total_timeout: too long\n  hint: at most `30days`",
        ),
        (
            "upgrades: websocket",
            "6:13: routes[0].upgrades: expected a list, found text\n  hint: write it as `[websocket]`",
        ),
        (
            "upgrades: ['a b']",
            "6:14: routes[0].upgrades[0]: `a b` is not the name of a protocol\n  hint: such as `websocket`",
        ),
        (
            "upgrades: [WebSocket, websocket]",
            "6:25: routes[0].upgrades[1]: `websocket` is there twice\n  hint: keep one of them",
        ),
        (
            "upgrades: [H2C]",
            "6:14: routes[0].upgrades[0]: `h2c` would carry what no route and no filter sees\n  hint: only protocols that carry no requests of their own, such as `websocket`",
        ),
        (
            "upgrades: [HTTP/2.0]",
            "6:14: routes[0].upgrades[0]: `http/2.0` would carry what no route and no filter sees\n  hint: only protocols that carry no requests of their own, such as `websocket`",
        ),
        (
            "match: { path: users }",
            "6:18: routes[0].match.path: `users` is not a path pattern: a path begins with `/`\n  hint: such as `/api/users/{id}`",
        ),
        (
            "match: { path: '/a/{*x}/b' }",
            "6:18: routes[0].match.path: `/a/{*x}/b` is not a path pattern: `{*name}` stands only at the end\n  hint: `{name}` takes one segment",
        ),
        (
            "match: { methods: [] }",
            "6:21: routes[0].match.methods: an empty list matches nothing\n  hint: leave it out to match every method",
        ),
        (
            "match: { methods: [get] }",
            "6:22: routes[0].match.methods[0]: `get` is not in capitals\n  hint: methods differ by case: write `GET`",
        ),
        (
            "match: { methods: ['G T'] }",
            "6:22: routes[0].match.methods[0]: `G T` is not a method\n  hint: such as `GET` or `POST`",
        ),
        (
            "match: { methods: [GET, GET] }",
            "6:27: routes[0].match.methods[1]: `GET` is there twice\n  hint: keep one of them",
        ),
        (
            "match: { host: '*' }",
            "6:18: routes[0].match.host: `*` is not a host\n  hint: leave `host` out to match every host",
        ),
        (
            "match: { host: 'a.*.b' }",
            "6:18: routes[0].match.host: `a.*.b` is not a host\n  hint: `*.` stands at the beginning only, for one or more labels",
        ),
        (
            "match: { host: 'a:80' }",
            "6:18: routes[0].match.host: `a:80` is not a host\n  hint: without the port: `api.example.com`, an IPv6 address as `[::1]`",
        ),
        (
            "match: { host: 'http://a' }",
            "6:18: routes[0].match.host: `http://a` is not a host\n  hint: only the host, without scheme and path: `api.example.com`",
        ),
        (
            "match: { host: 'a..b' }",
            "6:18: routes[0].match.host: `a..b` is not a host\n  hint: such as `api.example.com` or `*.example.com`",
        ),
        (
            "match: { headers: { 'a b': c } }",
            "6:23: routes[0].match.headers.a b: `a b` is not the name of a header\n  hint: letters, digits and `-`, such as `x-version`",
        ),
        (
            "match: { headers: { a: \"b\\nc\" } }",
            "6:26: routes[0].match.headers.a: `b\\nc` is not the value of a header\n  hint: visible ASCII characters, or `*` for any value",
        ),
        (
            "match: { headers: { a: b, A: c } }",
            "6:29: routes[0].match.headers.A: `a` is there twice\n  hint: case does not matter in names",
        ),
        (
            "match: { query: { v: 1 } }",
            "6:24: routes[0].match.query.v: expected text, found a number\n  hint: put it in quotes: \"1\"",
        ),
        (
            "pipeline: [{}]",
            "6:14: routes[0].pipeline[0].plugin: missing\n  hint: add `plugin: NAME`",
        ),
        (
            "pipeline: [{ plugin: ../p }]",
            "6:24: routes[0].pipeline[0].plugin: `../p` is not a name\n  hint: 1 to 128 letters, digits, `-`, `_` and `.`, the first a letter or digit",
        ),
        (
            "pipeline: [{ plugin: p, on_error: ignore }]",
            "6:37: routes[0].pipeline[0].on_error: `ignore` is not one of the choices\n  hint: known: fail, skip",
        ),
        (
            "pipeline: [{ plugin: p, on_error: skip, required: true }]",
            "6:37: routes[0].pipeline[0].on_error: a required filter cannot be skipped\n  hint: leave out `on_error`, or `required`",
        ),
        (
            "pipeline: [{ plugin: p, isolation: per-request }]",
            "6:38: routes[0].pipeline[0].isolation: `per-request` is not one of the choices\n  hint: did you mean `per_request`?",
        ),
        (
            "pipeline: [{ plugin: p, grants: [counters] }]",
            "6:27: routes[0].pipeline[0].grants: unknown key\n  hint: known: plugin, config, on_error, required, isolation, allow, limits, namespace, tick",
        ),
        (
            "pipeline: [{ plugin: p, allow: { counter: true } }]",
            "6:36: routes[0].pipeline[0].allow.counter: unknown key\n  hint: did you mean `counters`?",
        ),
        (
            "pipeline: [{ plugin: p, allow: { store: [a] } }]",
            "6:43: routes[0].pipeline[0].allow.store: expected true or false, found a list\n  hint: without quotes",
        ),
        (
            "pipeline: [{ plugin: p, allow: { discovery: [user] } }]",
            "6:48: routes[0].pipeline[0].allow.discovery[0]: there is no service `user`\n  hint: did you mean `users`?",
        ),
        (
            "pipeline: [{ plugin: p, limits: { memory: 1KiB } }]",
            "6:45: routes[0].pipeline[0].limits.memory: out of range\n  hint: from 64KiB to 4GiB",
        ),
        (
            "pipeline: [{ plugin: p, limits: { file_size: 1MiB } }]",
            "6:37: routes[0].pipeline[0].limits.file_size: unknown key\n  hint: known: memory, table, call_timeout, wait_timeout, start_timeout, instances, queue, host_calls, log_lines, counters, store_keys, store_bytes, metric_series, response_size, body_buffer, body_buffers, http_timeout, http_response_size, http_request_size, http_calls",
        ),
        (
            "pipeline: [{ plugin: p, namespace: a/b }]",
            "6:38: routes[0].pipeline[0].namespace: `a/b` is not a name\n  hint: 1 to 128 letters, digits, `-`, `_` and `.`, the first a letter or digit",
        ),
        (
            "retries: { on: [reset] }",
            "6:12: routes[0].retries.attempts: missing\n  hint: add `attempts: 3`",
        ),
        (
            "retries: { attempts: 11 }",
            "6:24: routes[0].retries.attempts: out of range\n  hint: a whole number from 1 to 10",
        ),
        (
            "retries: { attempts: 2, on: [resets] }",
            "6:32: routes[0].retries.on[0]: `resets` is not one of the choices\n  hint: did you mean `reset`?",
        ),
        (
            "retries: { attempts: 2, on: [] }",
            "6:31: routes[0].retries.on: nothing would be retried\n  hint: leave `retries` out for that",
        ),
        (
            "retries: { attempts: 2, per_try_timeout: 16s }",
            "6:44: routes[0].retries.per_try_timeout: longer than the route's timeout\n  hint: the route's `timeout` is for all tries together",
        ),
        (
            "retries: { attempts: 2, backoff: { base: 2s, max: 1s } }",
            "6:36: routes[0].retries.backoff: `base` is longer than `max`\n  hint: waiting grows from `base` to `max`",
        ),
        (
            "retries: { attempts: 2, budget: { percent: 101 } }",
            "6:46: routes[0].retries.budget.percent: out of range\n  hint: a whole number from 0 to 100",
        ),
        (
            "pipeline: [{ plugin: p, config: { a: '${NOT_SET}', b: ['x${}'] } }]",
            "6:40: routes[0].pipeline[0].config.a: `NOT_SET` is not set in the environment\n  hint: set it, or write `$${NOT_SET}` if this text was meant\n6:58: routes[0].pipeline[0].config.b[0]: `` is not the name of a variable\n  hint: `${NAME}` takes letters, digits and `_`, and no default; `$${` stands for `${`",
        ),
    ];
    for (line, expected) in cases {
        check(&route_with(line), expected);
    }
}

#[test]
fn mistakes_between_routes_and_services() {
    let cases = [
        (
            "- { name: a, service: user }",
            "4:23: routes[0].service: there is no service `user`\n  hint: did you mean `users`?",
        ),
        (
            "- { name: a, service: products }",
            "4:23: routes[0].service: there is no service `products`\n  hint: known: users, orders",
        ),
        (
            "- { name: a, service: '${WRONG}' }",
            "4:23: routes[0].service: there is no service the value from the environment\n  hint: known: users, orders",
        ),
        (
            "- { name: a }",
            "4:3: routes[0]: leads nowhere: neither a service nor a pipeline\n  hint: add `service: NAME`, or a filter that answers or chooses a service",
        ),
        (
            "- { service: users }",
            "4:3: routes[0].name: missing\n  hint: add `name: NAME`",
        ),
        (
            "- { name: a, service: users, match: { path: /a } }\n- { name: a, service: users, match: { path: /b } }",
            "5:11: routes[1].name: a route named `a` is there already\n  hint: the first is at 4:11; give each a name of its own",
        ),
        (
            "- { name: a, service: users, match: { path: '/{x}' } }\n- { name: b, service: user, match: { path: '/{y}' } }",
            "5:3: routes: route `b` matches exactly what route `a` at 4:3 matches\n  hint: the first would take everything: make one differ in host, path, methods, headers or query\n5:23: routes[1].service: there is no service `user`\n  hint: did you mean `users`?",
        ),
        // A match that cannot be read is not taken for one of everything.
        (
            "- { name: a, service: users }\n- { name: b, service: users, match: { path: x } }",
            "5:45: routes[1].match.path: `x` is not a path pattern: a path begins with `/`\n  hint: such as `/api/users/{id}`",
        ),
    ];
    for (lines, expected) in cases {
        check(&file_with(&format!("routes:\n{lines}")), expected);
    }
}
