//! The project's own commands: `cargo xtask plugins | demo | release | bench |
//! soak | fuzz | conformance | test | deny`.
//!
//! Owns arguments and the exit code; each command is a module. Everything runs
//! from the root of the workspace, so that the command lines that it prints
//! can be repeated there by hand.

mod bench;
mod certificate;
mod conformance;
mod demo;
mod deny;
mod fuzz;
mod interrupt;
mod picture;
mod plugins;
mod probe;
mod process;
mod release;
mod soak;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds every plugin into target/plugins/NAME.wasm
    Plugins,
    /// Starts three services and the gateway, and prints what to try
    Demo(demo::Arguments),
    /// Builds the gateway guided by what it does under load
    Release(release::Arguments),
    /// Measures what the gateway costs
    Bench(Box<bench::Arguments>),
    /// Lets plugins do their worst for a while, and holds the gateway to its bounds
    Soak(soak::Arguments),
    /// Lets chance look for inputs that the gateway's readers do not hold to
    Fuzz(fuzz::Arguments),
    /// Lets programs of others try the gateway, with real services behind it
    Conformance(conformance::Arguments),
    /// Runs every check there is, and stops at the first that fails
    Test,
    /// Checks licences, bans and sources of all dependencies
    Deny,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    std::env::set_current_dir(workspace::root())?;
    match command {
        Command::Plugins => plugins::run(),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Release(arguments) => release::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Test => test::run(),
        Command::Deny => deny::run(),
    }
}
