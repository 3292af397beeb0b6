//! What a reload costs: building a snapshot away from the workers, the swap,
//! and what every request pays to notice one.

use std::{hint::black_box, path::Path, sync::Arc};

use benches::Bench;
use criterion::{BatchSize, Criterion};
use portcullis::{
    config::{self, Config, Diagnostics},
    discovery::Registry,
    observe::Metrics,
    plugin::HostServices,
    snapshot::{Builder, Current, Library, Snapshot},
};

/// Two workers, a route with five filters, a service with a balancer.
const CONFIG: &str = r#"
listeners: [{ address: "127.0.0.1:8080" }]
services:
  users:
    instances: [{ address: "127.0.0.1:9001" }]
    balancer: { plugin: round-robin }
routes:
  - name: users
    match: { path: "/users/{*rest}" }
    pipeline:
      - { plugin: jwt-auth, config: { algorithms: [HS256], secret: a-secret-of-at-least-thirty-two-bytes } }
      - { plugin: rate-limit, config: { requests: 100, per: 1s } }
      - { plugin: circuit-breaker, config: { failure_threshold: 5 } }
      - { plugin: traffic-split, config: { services: [{ name: users, weight: 1 }] } }
      - { plugin: headers, config: { request: { set: { x-a: b } } } }
    service: users
"#;

pub(crate) fn benches(criterion: &mut Criterion) {
    let bench = Bench::new();
    let file = Path::new("bench.yaml");
    let config = config::parse(file, CONFIG, &|_| None).expect("a configuration");
    let config = Arc::new(config);
    let library = library(&bench, &config);
    let builder = Builder {
        host: Arc::new(HostServices::detached()),
        registry: Arc::new(Registry::new()),
        metrics: Arc::new(Metrics::new()),
        errands: None,
    };
    let snapshot = |generation| snapshot(&builder, &config, &library, generation);

    let mut group = criterion.benchmark_group("snapshot");
    group.bench_function("build, two workers, six plugins", |bencher| {
        bencher.iter_with_large_drop(|| snapshot(1));
    });
    let current = Current::new(snapshot(1));
    group.bench_function("swap", |bencher| {
        bencher.iter_batched(
            || snapshot(2),
            |snapshot| current.swap(snapshot),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("ask whether there is a new one", |bencher| {
        bencher.iter(|| black_box(current.generation()));
    });
    group.finish();
}

fn library(bench: &Bench, config: &Config) -> Library {
    let filters = config.routes.iter().flat_map(|route| &route.pipeline);
    let balancers = config
        .services
        .iter()
        .filter_map(|service| service.balancer.as_ref());
    let mut library = Library::default();
    for step in filters.chain(balancers) {
        library.insert(step.plugin.clone(), Ok(bench.plugin(&step.plugin)));
    }
    library
}

fn snapshot(
    builder: &Builder,
    config: &Arc<Config>,
    library: &Library,
    generation: u64,
) -> Snapshot {
    let mistakes = Diagnostics::new(&config.file);
    let draft = builder.draft(Arc::clone(config), library, mistakes);
    builder
        .finish(draft.expect("no mistakes"), 2, generation)
        .expect("no mistakes")
}
