//! `cargo xtask bench`: what the gateway costs, measured.
//!
//! `load` compares it with other gateways under load.

mod arguments;
mod load;

pub(crate) use arguments::{Arguments, run};
