//! Good files: every format, every default.

use std::{num::NonZeroU32, path::Path, time::Duration};

use serde_json::json;

use crate::config::{
    Admin, Allow, Backoff, BodyLimits, Capability, CompileLimits, Config, HealthCheck, Isolation,
    Limits, OnError, PluginLimits, Position, QuarantinePolicy, Retries, RetryOn, RouteLimits, load,
    parse,
};

use super::{EXAMPLE, environment, yaml};

fn assert_is_the_example(config: &Config) {
    assert_eq!(config.workers.get(), 2);
    assert_eq!(config.listeners[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin, Some(Admin::default()));
    assert_eq!(config.plugins.directory, Path::new("dir/plugins"));
    assert_eq!(
        config.plugins.cache.as_deref(),
        Some(Path::new("dir/plugins/.cache"))
    );

    let users = &config.services[0];
    assert_eq!(users.name, "users");
    let instances: Vec<_> = users
        .instances
        .iter()
        .map(|i| (&*i.address, i.weight.get()))
        .collect();
    assert_eq!(instances, [("127.0.0.1:9001", 3), ("127.0.0.1:9002", 1)]);
    assert_eq!(
        users.balancer.as_ref().unwrap().plugin,
        "weighted-round-robin"
    );
    let expected = HealthCheck {
        path: "/health".to_owned(),
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        unhealthy_after: NonZeroU32::new(3).unwrap(),
        healthy_after: NonZeroU32::new(2).unwrap(),
    };
    assert_eq!(users.health_check, Some(expected));

    let route = &config.routes[0];
    assert_eq!(route.name, "users");
    assert_eq!(
        route.matches.path.as_ref().unwrap().as_str(),
        "/api/users/{*rest}"
    );
    assert_eq!(route.matches.methods, ["GET", "POST"]);
    assert_eq!(route.matches.host.as_deref(), Some("api.example.com"));
    assert_eq!(route.service.as_deref(), Some("users"));
    assert_eq!(route.timeout, Duration::from_secs(5));
    let expected = Retries {
        attempts: NonZeroU32::new(3).unwrap(),
        per_try_timeout: Some(Duration::from_secs(2)),
        on: vec![RetryOn::ConnectFailure, RetryOn::GatewayError],
        backoff: Backoff {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        },
        budget_percent: 20,
        budget_min_per_second: 3,
    };
    assert_eq!(route.retries, expected);

    let plugins: Vec<_> = route.pipeline.iter().map(|step| &*step.plugin).collect();
    assert_eq!(
        plugins,
        ["jwt-auth", "rate-limit", "circuit-breaker", "traffic-split"]
    );
    let jwt = &route.pipeline[0].config.json;
    assert_eq!(
        *jwt,
        json!({ "algorithms": ["HS256"], "secret": "very secret: {\"a\": [1]}", "issuer": "example" })
    );
    assert_eq!(route.pipeline[1].config.json["per"], "1s");
    assert_eq!(route.pipeline[3].config.json["services"][1]["weight"], 80);
}

#[test]
fn the_documented_example_loads() {
    let config = yaml(EXAMPLE).unwrap();
    assert_is_the_example(&config);
    let step = &config.routes[0].pipeline[1];
    assert_eq!(step.key, "routes[0].pipeline[1]");
    assert_eq!(step.at, Position::new(21, 9));
    assert_eq!(step.config.position("/burst"), Some(Position::new(22, 75)));
    // A part that is not there is placed where it would be.
    assert_eq!(
        step.config.position("/burst/x/0"),
        Some(Position::new(22, 75))
    );
    assert_eq!(
        step.config.position("/missing"),
        Some(Position::new(22, 17))
    );
}

#[test]
fn toml_and_json_have_the_same_shape() {
    let toml = r#"
workers = 2
listeners = [{ address = "127.0.0.1:8080" }]
[admin]
address = "127.0.0.1:9901"
[plugins]
directory = "plugins"
[services.users]
instances = [{ address = "127.0.0.1:9001", weight = 3 }, { address = "127.0.0.1:9002" }]
balancer.plugin = "weighted-round-robin"
health_check = { path = "/health", interval = "5s", timeout = "1s", unhealthy_after = 3, healthy_after = 2 }
[[routes]]
name = "users"
match = { path = "/api/users/{*rest}", methods = ["GET", "POST"], host = "api.example.com" }
service = "users"
timeout = "5s"
[[routes.pipeline]]
plugin = "jwt-auth"
config = { algorithms = ["HS256"], secret = "${JWT_SECRET}", issuer = "example" }
[[routes.pipeline]]
plugin = "rate-limit"
config = { algorithm = "token_bucket", requests = 100, per = "1s", burst = 200, key = "client_ip" }
[[routes.pipeline]]
plugin = "circuit-breaker"
[[routes.pipeline]]
plugin = "traffic-split"
[routes.pipeline.config]
services = [{ name = "users-v2", weight = 20 }, { name = "users", weight = 80 }]
[routes.retries]
attempts = 3
per_try_timeout = "2s"
on = ["connect_failure", "gateway_error"]
backoff = { base = "25ms", max = "250ms" }
"#;
    let config = parse(Path::new("dir/portcullis.toml"), toml, &environment);
    assert_is_the_example(&config.unwrap());

    let json = json!({
        "workers": 2,
        "listeners": [{ "address": "127.0.0.1:8080" }],
        "services": { "users": {
            "instances": [{ "address": "127.0.0.1:9001", "weight": 3 }, { "address": "127.0.0.1:9002" }],
            "balancer": { "plugin": "weighted-round-robin" },
            "health_check": { "path": "/health", "interval": "5s" },
        } },
        "routes": [{
            "name": "users",
            "match": { "path": "/api/users/{*rest}", "methods": ["GET", "POST"], "host": "API.example.com" },
            "pipeline": [
                { "plugin": "jwt-auth", "config": { "algorithms": ["HS256"], "secret": "${JWT_SECRET}", "issuer": "example" } },
                { "plugin": "rate-limit", "config": { "per": "1s" } },
                { "plugin": "circuit-breaker" },
                { "plugin": "traffic-split", "config": { "services": [{}, { "weight": 80 }] } },
            ],
            "service": "users",
            "timeout": "5s",
            "retries": { "attempts": 3, "per_try_timeout": "2s", "on": ["connect_failure", "gateway_error"] },
        }],
    });
    for text in [json.to_string(), format!("{json:#}").replace("  ", "\t")] {
        let config = parse(Path::new("dir/portcullis.JSON"), &text, &environment);
        assert_is_the_example(&config.unwrap());
    }
}

#[test]
fn what_is_not_given_has_its_documented_default() {
    let text = "listeners: [{ address: '[::]:0' }]\nservices:\n  s:\n    health_check: { path: /h, interval: 500ms }\n\
        routes:\n  - { name: a, service: s }\n  - name: b\n    match: { path: /b }\n    pipeline: [{ plugin: p }]\n    \
        retries: { attempts: 2, backoff: { base: 1s } }\n    timeout:\n";
    let config = yaml(text).unwrap();
    assert_eq!(
        config.admin.as_ref().unwrap().address.to_string(),
        "127.0.0.1:9901"
    );
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.plugins.limits, PluginLimits::default());
    assert!(config.services[0].instances.is_empty());
    let check = config.services[0].health_check.as_ref().unwrap();
    assert_eq!(check.timeout, Duration::from_millis(500));
    assert_eq!(check.unhealthy_after.get(), 3);

    let [a, b] = &config.routes[..] else {
        panic!("two routes")
    };
    assert_eq!(a.retries, Retries::default());
    assert_eq!(a.retries.attempts.get(), 1);
    assert_eq!(a.timeout, Duration::from_secs(15));
    assert_eq!(b.timeout, Duration::from_secs(15));
    assert_eq!(
        b.retries.on,
        [
            RetryOn::ConnectFailure,
            RetryOn::Reset,
            RetryOn::GatewayError
        ]
    );
    assert_eq!(b.retries.backoff.max, Duration::from_secs(1));
    let step = &b.pipeline[0];
    assert_eq!(step.config.json, json!({}));
    assert_eq!(step.config.position("/x"), Some(step.at));
    assert_eq!(
        (step.on_error, step.isolation),
        (OnError::Fail, Isolation::Reuse)
    );
    assert_eq!(step.allow, Allow::default());
    assert_eq!(step.limits, PluginLimits::default());
    assert_eq!(step.namespace, "p");
}

#[test]
fn what_is_given_counts() {
    let text = "workers: ${WORKERS}\nlisteners: [{ address: 127.0.0.1:0 }, { address: 127.0.0.1:0 }]\n\
        admin: { enabled: false }\n\
        plugins: { directory: /p, cache: c, cache_size: 2GiB, compile: { timeout: 5s, memory: 256MiB },\n  limits: { file_size: 2KiB, memory: 1MiB, table: 5, call_timeout: 1ms, start_timeout: 1m },\n  \
        quarantine: { enabled: false, failures: 2, percent: 10, within: 1m, base: 5s }, named: { p: { limits: { memory: 2MiB, log_lines: 0 }, allow: { store: true } } } }\n\
        limits: { request_head: 16KiB, request_headers: 50, request_body: 0, head_timeout: 1s, connect_timeout: 2s,\n  \
        idle_connections: 0, idle_timeout: 3s, tunnel_idle_timeout: 2m, drain_timeout: 1h 30m, counters: 10, store: 4096,\n  \
        connections: 7, connections_per_client: 6, flood_penalty: 0s, requests: 12, requests_per_connection: 5, connection_age: 4m, keep_alive_timeout: 3s,\n  \
        body_timeout: 2s, body_total_timeout: 9d, write_timeout: 1s, stream_timeout: 8m, http2: { control_frames: 90, small_frames: 900, heads: 64KiB } }\n\
        services:\n  s:\n    instances: [{ address: \"Users.internal:${PORT}\", metadata: { zone: a } }]\n\
        routes:\n  - name: a\n    service: s\n    match: { headers: { X-Version: \"2\", x-any: \"*\" }, query: { v: \"1\" } }\n    \
        pipeline: [{ plugin: p, on_error: skip, isolation: per_request, allow: { counters: false, discovery: [s] }, namespace: n, limits: { table: 6 } }, { plugin: q, required: true }]\n    \
        retries: { attempts: 2, budget: { percent: 0, min_per_second: 9 } }\n    upgrades: [WebSocket, spdy/3.1]\n    limits: { request_body: 1KiB, body_timeout: 4s, body_total_timeout: 5s, stream_timeout: 6s }\n";
    let config = yaml(text).unwrap();
    assert_eq!(config.workers.get(), 7);
    assert_eq!(config.admin, None);
    assert_eq!(config.plugins.directory, Path::new("/p"));
    assert_eq!(config.plugins.cache.as_deref(), Some(Path::new("dir/c")));
    assert_eq!(config.plugins.cache_size, 2 << 30);
    let compile = CompileLimits {
        timeout: Duration::from_secs(5),
        memory: 256 << 20,
    };
    assert_eq!(config.plugins.compile, compile);
    assert_eq!(config.plugins.limits.memory, 1 << 20);
    assert_eq!(config.plugins.file_size, 2 << 10);
    let quarantine = QuarantinePolicy {
        enabled: false,
        failures: 2.try_into().unwrap(),
        percent: 10,
        within: Duration::from_secs(60),
        base: Duration::from_secs(5),
        max: Duration::from_secs(60),
    };
    assert_eq!(config.plugins.quarantine, quarantine);
    assert_eq!(config.limits.request_head, 16 << 10);
    assert_eq!(config.limits.request_body, 0);
    assert_eq!(config.limits.drain_timeout, Duration::from_secs(5400));
    assert_eq!(config.limits.tunnel_idle_timeout, Duration::from_secs(120));
    assert_eq!(config.limits.store, 4096);
    let limits = &config.limits;
    assert_eq!((limits.connections, limits.connections_per_client), (7, 6));
    assert_eq!(limits.requests_per_connection, 5);
    assert_eq!(limits.connection_age, Duration::from_secs(240));
    assert_eq!(limits.keep_alive_timeout, Duration::from_secs(3));
    assert_eq!(limits.body_timeout, Duration::from_secs(2));
    assert_eq!(limits.body_total_timeout, Duration::from_secs(777_600));
    assert_eq!(limits.write_timeout, Duration::from_secs(1));
    assert_eq!(limits.stream_timeout, Duration::from_secs(480));
    assert_eq!(
        (limits.flood_penalty, limits.requests),
        (Duration::ZERO, 12)
    );
    let http2 = &limits.http2;
    assert_eq!((http2.control_frames, http2.small_frames), (90, 900));
    assert_eq!(http2.heads, 64 << 10);
    assert_eq!(
        config.services[0].instances[0].address,
        "users.internal:9001"
    );
    assert_eq!(config.services[0].instances[0].metadata["zone"], "a");
    let route = &config.routes[0];
    assert_eq!(route.matches.headers[0].0, "x-version");
    assert_eq!(route.matches.query, [("v".to_owned(), "1".to_owned())]);
    assert_eq!(route.upgrades, ["websocket", "spdy/3.1"]);
    let bodies = BodyLimits {
        request_body: 1 << 10,
        body_timeout: Duration::from_secs(4),
        body_total_timeout: Duration::from_secs(5),
        stream_timeout: Duration::from_secs(6),
    };
    assert_eq!(route.limits.over(limits), bodies);
    let usual = RouteLimits::default().over(limits);
    assert_eq!(usual.body_total_timeout, limits.body_total_timeout);
    assert_eq!(usual.request_body, 0);
    let step = &route.pipeline[0];
    assert_eq!(
        (step.on_error, step.isolation),
        (OnError::Skip, Isolation::PerRequest)
    );
    assert!(!step.required && route.pipeline[1].required);
    let limits = PluginLimits {
        memory: 2 << 20,
        table: 6,
        log_lines: 0,
        ..config.plugins.limits.clone()
    };
    assert_eq!(step.limits, limits, "each from the nearest that says it");
    let mut allow = Allow::default();
    allow.set(Capability::Store, true);
    allow.set(Capability::Counters, false);
    allow.show(["s".to_owned()].into());
    assert_eq!(step.allow, allow);
    assert_eq!(step.namespace, "n");
    assert_eq!(
        (
            route.retries.budget_percent,
            route.retries.budget_min_per_second
        ),
        (0, 9)
    );
}

#[test]
fn the_cache_can_be_switched_off() {
    let with = |cache: &str| {
        let text = format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]\nplugins: {{ directory: p, cache: {cache} }}\n"
        );
        yaml(&text).unwrap().plugins.cache
    };
    assert_eq!(with("false"), None);
    assert_eq!(with("true"), Some("dir/p/.cache".into()));
    assert_eq!(with("\"false\""), Some("dir/false".into()));
}

#[test]
fn a_file_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("portcullis.yml");
    std::fs::write(&path, format!("\u{feff}{EXAMPLE}").replace('\n', "\r\n")).unwrap();
    let config = load(&path, &environment).unwrap();
    assert_eq!(config.file, path);
    assert_eq!(config.plugins.directory, directory.path().join("plugins"));
}
