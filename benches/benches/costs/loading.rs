//! What it takes to get a plugin ready: compiling, loading compiled code,
//! making an instance; and a request with an instance of its own.

use benches::{Bench, exchange, probe};
use criterion::{BatchSize, Criterion};
use serde_json::json;

use crate::filters::on_request;

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
