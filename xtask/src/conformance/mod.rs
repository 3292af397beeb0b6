//! `cargo xtask conformance`: programs of others against the gateway, with real
//! services behind it, and a table of what was expected and what came.
//!
//! Installs what is missing from Debian's packages and from PyPI, and says so.

mod browser;
mod check;
mod curl;
mod grpc;
mod install;
mod load;
mod redbot;
mod report;
mod slow;
mod stage;
mod tls;
mod websocket;

use std::env;

use anyhow::{Result, bail};

use check::Check;
use install::{Tools, is_there};
use report::Report;
use stage::Stage;

/// All checks, in the order of the table.
const ALL: [&[Check]; 9] = [
    load::CHECKS,
    curl::CHECKS,
    slow::CHECKS,
    tls::QUICK,
    tls::SLOW,
    redbot::CHECKS,
    grpc::CHECKS,
    websocket::CHECKS,
    browser::CHECKS,
];

/// Those that take seconds, by programs of Debian's.
const QUICK: [&[Check]; 3] = [load::CHECKS, curl::CHECKS, tls::QUICK];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Holds against it what cannot be run, too; so does CI=true
    #[arg(long)]
    strict: bool,
    /// Tries a build for release, with a line for Cargo's profile `release`
    #[arg(long)]
    release: bool,
    /// Installs nothing
    #[arg(long)]
    offline: bool,
    /// Only what has one of these words in its name
    only: Vec<String>,
}

/// Runs all checks; an error, after the table, if one came out otherwise.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let tools = Tools::ready(!arguments.offline)?;
    let stage = Stage::start(&tools, arguments.release)?;
    let only = &arguments.only;
    let chosen = |check: &&Check| {
        only.is_empty() || only.iter().any(|word| check.name.contains(word.as_str()))
    };
    let report = Report::of(ALL.into_iter().flatten().filter(chosen), &stage, &tools);
    if only.is_empty() {
        report.write(&stage, &tools)?;
    }
    let strict = arguments.strict || env::var("CI").is_ok_and(|value| value == "true");
    match report.is_good() && (report.is_whole() || !strict) {
        true => Ok(()),
        false => bail!("the logs are in {}", stage.folder().display()),
    }
}

/// Runs what takes seconds, with the programs that are there: for `cargo xtask test`.
/// True if all of them are.
pub(crate) fn quick() -> Result<bool> {
    if !is_there("python3") || !is_there("openssl") {
        println!("there is no python3, or no openssl, for the services");
        return Ok(false);
    }
    let tools = Tools::ready(false)?;
    let stage = Stage::start(&tools, false)?;
    let report = Report::of(QUICK.into_iter().flatten(), &stage, &tools);
    match report.is_good() {
        true => Ok(report.is_whole()),
        false => bail!("the logs are in {}", stage.folder().display()),
    }
}
