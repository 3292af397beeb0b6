//! What can be measured, and who does it.

use anyhow::{Result, bail};
use clap::Subcommand;

use super::load;

/// What is to be measured.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// This gateway and those that are installed, under the same load
    Load(load::Arguments),
}

/// Measures it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Some(Part::Load(arguments)) => load::run(arguments),
        None => bail!("the table of criterion figures is not built yet"),
    }
}
