//! Nanoseconds per pick, among ten, a hundred and a thousand instances.

use std::hint::black_box;

use benches::{Bench, exchange, instances};
use criterion::{BenchmarkId, Criterion};
use portcullis::exchange::Phase;
use serde_json::json;

pub(crate) fn benches(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("pick");
    for (plugin, config) in [
        ("round-robin", json!({})),
        ("weighted-round-robin", json!({})),
        ("least-connections", json!({})),
        ("random-two-choices", json!({})),
        ("consistent-hash", json!({ "by": "client_ip" })),
    ] {
        for count in [10, 100, 1_000] {
            let mut instance = bench.instance(plugin, &config);
            let list = instances(count);
            instance.instances_changed(&list).expect("a list");
            let mut exchange = exchange();
            exchange.phase = Phase::Upstream;
            group.bench_function(BenchmarkId::new(plugin, count), |bencher| {
                bencher.iter(|| black_box(instance.pick(&mut exchange, 0).expect("a pick")));
            });
        }
    }
    group.finish();
}
