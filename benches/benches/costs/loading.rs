//! What it takes to get a plugin ready: compiling, loading compiled code,
//! making an instance; and a request with an instance of its own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use benches::{Bench, exchange, probe};
use criterion::{BatchSize, Criterion};
use serde_json::json;

use crate::filters::on_request;

/// What a gateway of many teams has at least.
const TEN: [&str; 10] = [
    "circuit-breaker",
    "consistent-hash",
    "headers",
    "hello-filter",
    "jwt-auth",
    "key-auth",
    "rate-limit",
    "rewrite",
    "traffic-split",
    "weighted-round-robin",
];

/// What loading ten plugins from the cache may take, which is most of a start.
const WARM: Duration = Duration::from_millis(100);

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for plugin in ["probe", "jwt-auth"] {
        let bytes = benches::bytes(plugin);
        group.bench_function(format!("compile {plugin}"), |bencher| {
            // A runtime remembers what it has compiled, so each time a new one.
            bencher.iter_batched(
                Bench::new,
                |bench| bench.runtime().load(plugin, &bytes).expect("a plugin"),
                BatchSize::PerIteration,
            );
        });
        let cache = tempfile::tempdir().expect("a directory");
        let cached = || Bench::with_cache(cache.path());
        cached().plugin(plugin);
        group.bench_function(format!("cached {plugin}"), |bencher| {
            bencher.iter_batched(
                cached,
                |bench| bench.runtime().load(plugin, &bytes).expect("a plugin"),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    ten_from_the_cache(criterion);

    let bench = Bench::new();
    let mut group = criterion.benchmark_group("instance");
    for (plugin, config) in [
        ("probe", probe("x-filter-1")),
        (
            "jwt-auth",
            json!({ "algorithms": ["HS256"], "secret": benches::SECRET }),
        ),
    ] {
        let configured = bench.configured(plugin, &config);
        group.bench_function(format!("make {plugin}"), |bencher| {
            bencher.iter_with_large_drop(|| configured.instantiate().expect("an instance"));
        });
    }
    let configured = bench.configured("probe", &probe("x-filter-1"));
    let mut exchange = exchange();
    group.bench_function("make probe, call it, drop it", |bencher| {
        bencher.iter(|| {
            let mut instance = configured.instantiate().expect("an instance");
            on_request(&mut instance, &mut exchange);
        });
    });
    group.finish();
}

/// A start with a warm cache, but for sockets and configuration. Fails where it
/// takes longer than it may, if the compiler was asked for speed.
fn ten_from_the_cache(criterion: &mut Criterion) {
    let cache = tempfile::tempdir().expect("a directory");
    let plugins = TEN.map(|name| (name, benches::bytes(name)));
    let load = |directory: &Path| {
        let bench = Bench::with_cache(directory);
        for (name, bytes) in &plugins {
            bench.runtime().load(name, bytes).expect("a plugin");
        }
    };
    load(cache.path());
    let best = (0..10).map(|_| {
        let begun = Instant::now();
        load(cache.path());
        begun.elapsed()
    });
    let best = best.min().expect("invariant: more than one");
    println!("ten plugins from the cache, with a new engine: {best:?}, at most {WARM:?}");
    assert!(
        best <= WARM || cfg!(debug_assertions),
        "loading ten plugins from the cache takes {best:?}"
    );
    let mut group = criterion.benchmark_group("start");
    group.sample_size(10);
    group.bench_function("ten plugins from the cache", |bencher| {
        bencher.iter(|| load(cache.path()));
    });
    group.finish();
}
