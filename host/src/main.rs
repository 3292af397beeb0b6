//! The `portcullis` command: arguments, logging, signals, exit codes.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Parser, Subcommand, ValueEnum};
use portcullis::{
    gateway::{self, Environment, Gateway},
    inspect,
    observe::log::{self, Format},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};

/// A programmable HTTP gateway whose filters are WebAssembly components.
#[derive(Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true)]
struct Arguments {
    /// How log lines look, on standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// What is logged: a level, or directives like `info,portcullis=debug`.
    #[arg(long, global = true, default_value = "info", env = "PORTCULLIS_LOG")]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or SIGINT, then drains it.
    Run(ConfigFile),
    /// Checks a configuration and its plugins, and lists every mistake.
    Check(ConfigFile),
    /// Works with plugin files.
    #[command(subcommand)]
    Plugin(PluginCommand),
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration: YAML, TOML or JSON, by its extension.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Shows what a plugin exports, imports, and how it is configured.
    Inspect {
        /// The component.
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = match arguments.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    if let Err(error) = log::init(format, &arguments.log) {
        eprintln!("portcullis: --log: {error}");
        return ExitCode::from(2);
    }
    let done = match arguments.command {
        Command::Run(ConfigFile { config }) => run(config),
        Command::Check(ConfigFile { config }) => check(&config),
        Command::Plugin(PluginCommand::Inspect { file }) => inspect::plugin(&file)
            .map(|description| println!("{description}"))
            .map_err(|error| error.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn environment() -> Environment {
    Arc::new(|name| std::env::var(name).ok())
}

fn check(config: &std::path::Path) -> Result<(), String> {
    let checked = gateway::check(config, &environment()).map_err(|error| error.to_string())?;
    println!("{checked}");
    Ok(())
}

/// Runs until a signal says otherwise. A second signal ends at once.
fn run(config: PathBuf) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start an event loop: {error}"))?;
    LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
        let gateway = Gateway::start(config, environment())
            .await
            .map_err(|error| error.to_string())?;
        for address in gateway.addresses() {
            tracing::info!("listening on http://{address}");
        }
        if let Some(address) = gateway.admin_address() {
            tracing::info!("admin on http://{address}");
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining; a second signal ends at once");
        tokio::select! {
            () = gateway.drain() => tracing::info!("drained"),
            _ = terminate.recv() => tracing::warn!("ended before it was drained"),
            _ = interrupt.recv() => tracing::warn!("ended before it was drained"),
        }
        Ok(())
    })
}
