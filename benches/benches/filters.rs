//! Nanoseconds per filter call, for each standard plugin: one reused, warm
//! instance, called as a worker calls it.

use std::{hint::black_box, net::SocketAddr, sync::Arc};

use benches::{Bench, exchange};
use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::{
    discovery::{InstanceList, Registry},
    exchange::{Exchange, Phase},
    plugin::{Instance, Verdict},
};
use serde_json::{Value, json};

/// What the benchmark's tokens are signed with.
const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// A plugin, its configuration, and what the request has besides.
type Case<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);

fn request_hooks(criterion: &mut Criterion) {
    let bench = Bench::new();
    let token = format!("Bearer {}", benches::token(SECRET));
    let cases: &[Case<'_>] = &[
        (
            "jwt-auth",
            json!({ "algorithms": ["HS256"], "secret": SECRET, "issuer": "example" }),
            &[("authorization", &token)],
        ),
        (
            "key-auth",
            json!({ "consumers": [{ "name": "ann", "keys": ["0123456789abcdef"] }] }),
            &[("x-api-key", "0123456789abcdef")],
        ),
        (
            "rate-limit",
            json!({ "algorithm": "token_bucket", "requests": 1_000_000_000, "per": "1s", "key": "client_ip" }),
            &[],
        ),
        ("circuit-breaker", json!({ "failure_threshold": 5 }), &[]),
        (
            "traffic-split",
            json!({ "services": [{ "name": "users-v2", "weight": 20 }, { "name": "users", "weight": 80 }] }),
            &[],
        ),
        (
            "rewrite",
            json!({ "rules": [{ "prefix": "/api", "to": "/" }] }),
            &[],
        ),
        (
            "headers",
            json!({ "request": { "set": { "x-route": "bench" } } }),
            &[],
        ),
    ];
    let mut group = criterion.benchmark_group("request");
    for (plugin, config, headers) in cases {
        let mut instance = bench.instance(plugin, config);
        let mut exchange = exchange();
        for (name, value) in *headers {
            let name: http::HeaderName = name.parse().expect("a header name");
            let value = value.parse().expect("a header value");
            exchange.headers.insert(name, value);
        }
        let fresh = Fresh::of(&exchange);
        group.bench_function(*plugin, |bencher| {
            bencher.iter(|| {
                fresh.restore(&mut exchange);
                on_request(&mut instance, &mut exchange)
            });
        });
    }
    group.finish();
}

/// What a hook may change and the next call must not find: so that every call
/// does the work of a first one.
struct Fresh {
    headers: http::HeaderMap,
    uri: http::Uri,
}

impl Fresh {
    fn of(exchange: &Exchange) -> Self {
        Self {
            headers: exchange.headers.clone(),
            uri: exchange.uri.clone(),
        }
    }

    /// Costs a copy of the headers only where the last call changed them.
    fn restore(&self, exchange: &mut Exchange) {
        exchange.attributes.clear();
        if exchange.headers.len() != self.headers.len() {
            exchange.headers.clone_from(&self.headers);
        }
        if exchange.uri.path().len() != self.uri.path().len() {
            exchange.uri = self.uri.clone();
        }
    }
}

fn on_request(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    let verdict = instance.on_request(exchange).expect("a verdict");
    assert!(matches!(black_box(verdict), Verdict::Next));
}

fn response_hook(criterion: &mut Criterion) {
    let bench = Bench::new();
    let config = json!({ "response": { "set": { "x-greeting": "hello" } } });
    let mut instance = bench.instance("headers", &config);
    let mut exchange = exchange();
    exchange.phase = Phase::Response;
    criterion.bench_function("response/headers", |bencher| {
        bencher.iter(|| instance.on_response(&mut exchange).expect("a verdict"));
    });
}

fn balancers(criterion: &mut Criterion) {
    let bench = Bench::new();
    let list = instances(100);
    let cases = [
        ("round-robin", json!({})),
        ("weighted-round-robin", json!({})),
        ("least-connections", json!({})),
        ("random-two-choices", json!({})),
        ("consistent-hash", json!({ "by": "client_ip" })),
    ];
    let mut group = criterion.benchmark_group("pick of 100");
    for (plugin, config) in cases {
        let mut instance = bench.instance(plugin, &config);
        instance.instances_changed(&list).expect("a list");
        let mut exchange = exchange();
        exchange.phase = Phase::Upstream;
        group.bench_function(plugin, |bencher| {
            bencher.iter(|| black_box(instance.pick(&mut exchange, 0).expect("a pick")));
        });
    }
    group.finish();
}

fn instances(count: u16) -> Arc<InstanceList> {
    let registry = Registry::new();
    let service = benches::service(
        "users",
        (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], 20_000 + port))),
    );
    registry.apply(&[service]).expect("a service");
    registry.service("users").expect("just applied").list()
}

criterion_group!(filters, request_hooks, response_hook, balancers);
criterion_main!(filters);
