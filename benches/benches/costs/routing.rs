//! Nanoseconds per route look-up, in few and in many routes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use http::{HeaderMap, Method};
use portcullis::router::Found;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route look-up");
    for count in [10, 10_000] {
        let router = benches::router(count);
        let last = count - 1;
        for (kind, path) in [
            ("literal", format!("/service-{last}/status")),
            ("parameter", format!("/service-{last}/users/42")),
            ("rest", format!("/service-{last}/files/a/b/c")),
        ] {
            let headers = HeaderMap::new();
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| {
                    let path = black_box(path.as_str());
                    let found = router.find(&Method::GET, "api.example.com", path, None, &headers);
                    assert!(matches!(found, Found::Route { .. }));
                });
            });
        }
    }
    group.finish();
}
