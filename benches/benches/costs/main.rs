//! What things cost, one file per kind. `cargo bench -p benches -- TEXT` runs
//! those whose name holds the text.

mod balancers;
mod boundary;
mod filters;
mod loading;
mod routing;
mod snapshots;
mod state;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    costs,
    boundary::benches,
    filters::benches,
    balancers::benches,
    state::benches,
    routing::benches,
    snapshots::benches,
    loading::benches,
);
criterion_main!(costs);
