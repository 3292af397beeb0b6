//! `cargo xtask bench`: what the gateway costs, measured.
//!
//! `costs` runs the criterion benchmarks and makes a table of them, `load`
//! compares the gateway with others under load, `footprint` says how soon it
//! answers and what memory it takes, `instructions` counts those of our own
//! paths for the tests.

mod arguments;
mod callgrind;
mod costs;
mod footprint;
pub(crate) mod instructions;
pub(crate) mod load;
pub(crate) mod machine;
mod requests;

pub(crate) use arguments::{Arguments, run};
