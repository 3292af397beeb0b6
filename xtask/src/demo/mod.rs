//! `cargo xtask demo`: three services, the gateway in front of them, and
//! command lines to try; with `--check`, the same lines tried by itself.
//!
//! `start` is the whole in one screen. `lines` is the one place that says what
//! to try and what must come back; `check` compares. `children` looks after
//! the processes, `cast` says which there are, `ports` whether there is room.

mod cast;
mod check;
mod children;
mod expect;
mod lines;
mod ports;
mod start;

pub(crate) use start::{Arguments, check, run};
