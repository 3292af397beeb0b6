//! `cargo xtask deny`: licences, bans and sources of every dependency, checked
//! by cargo-deny against `deny.toml`.
//!
//! Advisories are left out by design: they come from a database on the network
//! that changes without us, so that a check of an old commit would not repeat.

use anyhow::Result;

use crate::workspace::{self, cargo, succeed};

const VERSION: &str = "0.20.2";

/// Installs cargo-deny under `target/tools` unless it is there, and runs it.
pub(crate) fn run() -> Result<()> {
    // A folder per version: a newer pin is a new installation.
    let tools = workspace::target()
        .join("tools")
        .join(format!("cargo-deny-{VERSION}"));
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        println!("installing cargo-deny {VERSION} into {}", tools.display());
        let mut install = cargo(&["install", "--locked", "cargo-deny", "--version", VERSION]);
        // Not optimised: it runs for a second, and optimising takes minutes.
        install.args(["--debug", "--root"]).arg(&tools);
        succeed(&mut install)?;
    }
    let mut check = std::process::Command::new(program);
    succeed(check.args(["check", "licenses", "bans", "sources"]))
}
