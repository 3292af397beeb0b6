//! The `portcullis` command: arguments, logging, signals, exit codes.

use std::{
    io::{ErrorKind, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use portcullis::{
    bench,
    gateway::{self, Environment, Gateway},
    inspect,
    observe::log::{self, Format},
    plugin::{Compiler, Confined},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::LocalSet,
};

/// Spares 2,500 of the 39,900 instructions that a request without filters took
/// with the allocator of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A programmable HTTP gateway whose filters are WebAssembly components.
#[derive(Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true)]
struct Arguments {
    /// How log lines look, on standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// What is logged: a level, or directives like `info,portcullis=debug`.
    /// [default: info; of `bench`: error]
    #[arg(long, global = true, env = "PORTCULLIS_LOG")]
    log: Option<String>,
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
    /// Measures what each filter of a route costs, without a network.
    Bench(BenchArguments),
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

/// Runs a route's pipeline against an upstream that is not there, and shows
/// time, processor time, instructions and calls of the gateway for each hook.
#[derive(clap::Args)]
struct BenchArguments {
    #[command(flatten)]
    config: ConfigFile,
    /// The route's name.
    #[arg(long, value_name = "NAME")]
    route: String,
    /// The request: a file with the head of an HTTP/1.1 request, a header a
    /// line. Without it one is made from what the route matches, without a
    /// token or a key.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// How long to measure.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// How many requests to measure for each figure, instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Measures two files of one plugin in turn, and says whether the new one is
    /// faster or slower.
    #[arg(long, num_args = 2, value_names = ["OLD.wasm", "NEW.wasm"])]
    compare: Option<Vec<PathBuf>>,
    /// What is compared: the number of a step, from 0, or `balancer`. Without it
    /// what the files are named for.
    #[arg(long, value_name = "N", requires = "compare")]
    step: Option<bench::Place>,
}

impl BenchArguments {
    fn options(self) -> bench::Options {
        let compare = self.compare.map(|files| {
            let [old, new] =
                <[PathBuf; 2]>::try_from(files).expect("invariant: the arguments are two");
            bench::Compare {
                old,
                new,
                place: self.step,
            }
        });
        bench::Options {
            config: self.config.config,
            route: self.route,
            request: self.request,
            effort: match self.count {
                Some(requests) => bench::Effort::Requests(requests),
                None => bench::Effort::Time(Duration::from_secs(self.seconds)),
            },
            compare,
        }
    }
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Shows what a plugin exports, imports, and how it is configured.
    Inspect {
        /// The component.
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
    },
    /// Writes into a plugin's file what the plugin says of itself, so that it can
    /// be read without running the plugin.
    Embed {
        /// The component.
        #[arg(value_name = "FILE.wasm")]
        file: PathBuf,
        /// Writes to another file, and leaves the first as it is.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Compiles standard input to standard output, within limits. What the
    /// gateway calls itself for.
    #[command(hide = true)]
    Compile(CompileArguments),
}

#[derive(clap::Args)]
struct CompileArguments {
    /// Bytes of memory.
    #[arg(long)]
    memory: u64,
    /// Seconds of processor time.
    #[arg(long)]
    seconds: u64,
    #[arg(long)]
    counts_work: bool,
    #[arg(long)]
    portable: bool,
}

impl CompileArguments {
    fn run(self) -> ExitCode {
        let confined = Confined {
            memory: self.memory,
            processor_time: Duration::from_secs(self.seconds),
            counts_work: self.counts_work,
            portable: self.portable,
        };
        confined.run()
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let format = match arguments.log_format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let log = arguments.log.as_deref().unwrap_or(match arguments.command {
        // Thousands of requests would have as many lines.
        Command::Bench(_) => "error",
        _ => "info",
    });
    if let Err(error) = log::init(format, log) {
        eprintln!("portcullis: --log: {error}");
        return ExitCode::from(2);
    }
    let done = match arguments.command {
        Command::Run(ConfigFile { config }) => run(config),
        Command::Check(ConfigFile { config }) => check(&config),
        Command::Bench(arguments) => measure(arguments),
        Command::Plugin(PluginCommand::Compile(arguments)) => return arguments.run(),
        Command::Plugin(PluginCommand::Inspect { file }) => {
            inspect::plugin(&file, compiler()).map(|description| println!("{description}"))
        }
        Command::Plugin(PluginCommand::Embed { file, out }) => {
            inspect::embed(&file, out.as_deref(), compiler()).map(|done| println!("{done}"))
        }
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

/// This program, even if its file was replaced since it was started.
fn compiler() -> Compiler {
    let program = PathBuf::from("/proc/self/exe");
    match program.exists() {
        true => Compiler::Program(program),
        false => {
            tracing::warn!("there is no /proc: nothing bounds what compiling a plugin takes");
            Compiler::Here
        }
    }
}

fn check(config: &std::path::Path) -> Result<(), String> {
    let checked =
        gateway::check(config, &environment(), compiler()).map_err(|error| error.to_string())?;
    println!("{checked}");
    Ok(())
}

fn measure(arguments: BenchArguments) -> Result<(), String> {
    let json = arguments.json;
    let environment = |name: &str| std::env::var(name).ok();
    let outcome = bench::run(&arguments.options(), &environment)?;
    let mut shown = std::io::stdout().lock();
    let written = match json {
        true => writeln!(shown, "{:#}", outcome.to_json()),
        false => writeln!(shown, "{outcome}"),
    };
    match written {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("standard output: {error}")),
    }
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
        let gateway = Gateway::start(config, environment(), compiler())
            .await
            .map_err(|error| error.to_string())?;
        for (scheme, address) in gateway.addresses() {
            tracing::info!("listening on {scheme}://{address}");
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
