//! Nanoseconds per filter call, for each standard plugin: one reused, warm
//! instance, called as a worker calls it.

use std::hint::black_box;

use benches::{Bench, Fresh, SECRET, exchange};
use criterion::Criterion;
use portcullis::{
    exchange::{Exchange, Outcome, Phase},
    plugin::{Instance, Verdict},
};
use serde_json::{Value, json};

/// A name that begins with the plugin's, its configuration, and what the
/// request has besides.
type Case<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);

pub(crate) fn benches(criterion: &mut Criterion) {
    request_hooks(criterion);
    other_hooks(criterion);
}

fn request_hooks(criterion: &mut Criterion) {
    let bench = Bench::new();
    let token = format!("Bearer {}", benches::token(SECRET));
    let rsa_token = format!("Bearer {}", benches::rsa_token());
    let cases: &[Case<'_>] = &[
        (
            "jwt-auth",
            json!({ "algorithms": ["HS256"], "secret": SECRET, "issuer": "example" }),
            &[("authorization", &token)],
        ),
        (
            "jwt-auth, RS256, not cached",
            json!({
                "algorithms": ["RS256"], "public_key": benches::RSA_PUBLIC, "issuer": "example",
                "cache": { "size": 0 },
            }),
            &[("authorization", &rsa_token)],
        ),
        (
            "key-auth",
            json!({ "consumers": [{ "name": "ann", "groups": ["staff"], "keys": ["0123456789abcdef"] }] }),
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
    for (name, config, headers) in cases {
        let plugin = name.split(',').next().unwrap_or(name);
        let mut instance = bench.instance(plugin, config);
        let mut exchange = exchange();
        for (header, value) in *headers {
            let header: http::HeaderName = header.parse().expect("a header name");
            let value = value.parse().expect("a header value");
            exchange.headers.insert(header, value);
        }
        let mut fresh = Fresh::of(&exchange);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                fresh.restore(&mut exchange);
                on_request(&mut instance, &mut exchange)
            });
        });
    }
    group.finish();
}

/// Calls the request hook, which lets the request pass.
pub(crate) fn on_request(instance: &mut Instance, exchange: &mut Box<Exchange>) {
    let verdict = instance.on_request(exchange).expect("a verdict");
    assert!(matches!(black_box(verdict), Verdict::Next));
}

fn other_hooks(criterion: &mut Criterion) {
    let bench = Bench::new();
    let config = json!({ "response": { "set": { "x-greeting": "hello" } } });
    let mut instance = bench.instance("headers", &config);
    let mut exchange = exchange();
    exchange.phase = Phase::Response;
    criterion.bench_function("response/headers", |bencher| {
        bencher.iter(|| instance.on_response(&mut exchange).expect("a verdict"));
    });

    let mut instance = bench.instance("circuit-breaker", &json!({ "failure_threshold": 5 }));
    exchange.phase = Phase::Request;
    on_request(&mut instance, &mut exchange);
    exchange.phase = Phase::Complete;
    let outcome = Outcome {
        status: 200,
        forwarded: true,
        attempts: 1,
        ..Outcome::default()
    };
    criterion.bench_function("completion/circuit-breaker", |bencher| {
        bencher.iter(|| {
            instance
                .on_completion(&mut exchange, &outcome)
                .expect("no failure")
        });
    });
}
