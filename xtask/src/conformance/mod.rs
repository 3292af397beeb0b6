//! `cargo xtask conformance`: programs of others against the gateway, with real
//! services behind it, and a table of what was expected and what came.
//!
//! Installs what is missing from Debian's packages and from PyPI, and says so.

mod check;
mod curl;
mod grpc;
mod install;
mod load;
mod redbot;
mod slow;
mod stage;
mod tls;
mod websocket;

use std::env;

use anyhow::{Result, bail};

use check::{Check, Outcome};
use install::Tools;
use stage::Stage;

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
    let checks = [
        load::CHECKS,
        curl::CHECKS,
        slow::CHECKS,
        tls::CHECKS,
        redbot::CHECKS,
        grpc::CHECKS,
        websocket::CHECKS,
    ];
    let chosen = |check: &&Check| {
        let only = &arguments.only;
        only.is_empty() || only.iter().any(|word| check.name.contains(word.as_str()))
    };
    let mut tally = [0; 3];
    println!("| | what | expected | came |\n|---|---|---|---|");
    for check in checks.into_iter().flatten().filter(chosen) {
        let outcome = (check.run)(&stage, &tools).unwrap_or_else(Outcome::from);
        let (mark, came) = match &outcome {
            Outcome::AsExpected => ("ok", "as expected"),
            Outcome::Otherwise(came) => ("FAILED", came.as_str()),
            Outcome::NotRun(why) => ("not run", why.as_str()),
        };
        tally[outcome.index()] += 1;
        let came = came.trim().replace('\n', "; ").replace('|', "\\|");
        println!("| {mark} | {} | {} | {came} |", check.name, check.expected);
    }
    let [good, otherwise, not_run] = tally;
    println!("\n{good} as expected, {otherwise} otherwise, {not_run} not run");
    let strict = arguments.strict || env::var("CI").is_ok_and(|value| value == "true");
    match otherwise > 0 || strict && not_run > 0 {
        true => bail!("the logs are in {}", stage.folder().display()),
        false => Ok(()),
    }
}
