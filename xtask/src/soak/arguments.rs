//! The command line of `cargo xtask soak`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use super::{bodies, edge, hostile, identity, reload};

/// What is to be endured.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Plugins of nine hostile classes, each with a tenth of the traffic
    Hostile(Hostile),
    /// A plugin that is replaced again and again under load
    Reload(Reload),
    /// Large bodies through filters that change them, and what filters cost them
    Bodies(Bodies),
    /// An identity provider that is down, while tokens of all kinds come
    Identity(Identity),
    /// Clients that stall, flood, and send what is long in memory
    Edge(Edge),
}

/// What all parts are run with.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Requests per second in all
    #[arg(long, default_value_t = 1000.0)]
    pub(crate) rate: f64,
    /// Threads of the gateway
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: u16,
    /// The cargo profile that the gateway is built with
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// A gateway that is built already; the plugins are taken as they are, too
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
}

/// How `soak hostile` is run.
#[derive(clap::Args)]
pub(crate) struct Hostile {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Seconds of each class under attack, and as many without, in calm turns
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Calm turns; there are four times as many at most
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
    /// Endless loops of which each is timed; 0 to leave that out
    #[arg(long, default_value_t = 1000)]
    pub(crate) stops: u32,
    /// Only classes whose name has one of these in it, as in loop,bomb
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// How `soak reload` is run.
#[derive(clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Reloads, of which every tenth is of a file that is no plugin
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(60..))]
    pub(crate) reloads: u32,
}

/// How `soak bodies` is run.
#[derive(clap::Args)]
pub(crate) struct Bodies {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The length of a large body in MiB
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) mebibytes: u64,
    /// Seconds of each route in each turn of the comparison
    #[arg(long, default_value_t = 1.5)]
    pub(crate) seconds: f64,
    /// Turns of the comparison
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
}

/// How `soak identity` is run.
#[derive(clap::Args)]
pub(crate) struct Identity {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Seconds for which the provider is down
    #[arg(long, default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
}

/// How `soak edge` is run.
#[derive(clap::Args)]
pub(crate) struct Edge {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections that stall at the same time; descriptors have to suffice
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// Seconds of each flood and of the overload, and as many without, in calm turns
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Calm turns; there are four times as many at most
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeats: u32,
}

/// Endures it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Part::Hostile(arguments) => hostile::run(arguments),
        Part::Reload(arguments) => reload::run(arguments),
        Part::Bodies(arguments) => bodies::run(arguments),
        Part::Identity(arguments) => identity::run(arguments),
        Part::Edge(arguments) => edge::run(arguments),
    }
}
