//! What `cargo xtask bench load` and `soak` measure gateways with: an origin server and
//! two load generators, each one thread or a few, and nothing of the gateway.
//!
//! Owns arguments and the exit code. `origin` serves; `closed` and `open` send,
//! both through `client`, and count in a `tally`. `message` is what both sides
//! know of HTTP/1.1.

mod alarm;
mod arguments;
mod arrivals;
mod client;
mod closed;
mod histogram;
mod message;
mod open;
mod origin;
mod stamp;
mod tally;
mod target;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match arguments::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
