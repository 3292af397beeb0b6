//! What crossing into a plugin and back costs, one reused instance, warm.

use benches::{Bench, Fresh, exchange, probe};
use criterion::Criterion;
use serde_json::json;

use crate::filters::on_request;

pub(crate) fn benches(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("call");
    for (name, config) in [
        ("empty", json!({})),
        ("read a header", json!({ "read": "authorization" })),
        ("read and set", probe("x-filter-1")),
    ] {
        let mut instance = bench.instance("probe", &config);
        let mut exchange = exchange();
        let token = http::HeaderValue::from_static("Bearer 0123456789abcdef");
        exchange.headers.insert("authorization", token);
        let mut fresh = Fresh::of(&exchange);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                fresh.restore(&mut exchange);
                on_request(&mut instance, &mut exchange);
            });
        });
    }
    group.finish();
}
