//! What things cost, one file per kind. `cargo bench -p benches -- TEXT` runs
//! those whose name holds the text.

mod balancers;
mod bodies;
mod boundary;
mod filters;
mod loading;
mod routing;
mod snapshots;
mod state;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(
    name = costs;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets =
        boundary::benches,
        filters::benches,
        balancers::benches,
        bodies::benches,
        state::benches,
        routing::benches,
        snapshots::benches,
        loading::benches,
);
criterion_main!(costs);
