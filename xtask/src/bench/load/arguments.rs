//! The command line of `cargo xtask bench load`.

use std::path::PathBuf;

/// How it is measured.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub(crate) seconds: f64,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Connections that are kept alive
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Threads of each gateway; a single one is pinned to a processor of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: u16,
    /// Requests per second of the measurement at a fixed rate
    #[arg(long, default_value_t = 2000.0, value_parser = positive)]
    pub(crate) rate: f64,
    /// Bytes of each response's body
    #[arg(long, default_value_t = 1024)]
    pub(crate) body: u32,
    /// Only contenders whose name has one of these in it, as in portcullis-0,nginx
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The cargo profile that the gateway is built with
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// A gateway that is built already; the plugins are taken as they are, too
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
    /// Another build of the gateway, which takes part in the same rounds
    #[arg(long)]
    pub(crate) against: Option<PathBuf>,
    /// Where the results are written [default: bench in the target folder]
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// What the files of the results are called
    #[arg(long, default_value = "load")]
    pub(crate) name: String,
}

impl Arguments {
    /// Whether a contender takes part.
    pub(crate) fn wants(&self, id: &str) -> bool {
        let part_of = |id: &str| self.only.iter().any(|part| id.contains(part.as_str()));
        // The other build takes part where this one does.
        self.only.is_empty() || part_of(id) || part_of(&id.replace("other", "portcullis"))
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match number > 0.0 && number < 1e6 {
        true => Ok(number),
        false => Err("must be above 0 and below a million".to_owned()),
    }
}
