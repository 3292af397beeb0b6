//! What can be measured, and who does it.

use anyhow::Result;
use clap::Subcommand;

use super::{costs, footprint, instructions, load};

/// What is to be measured.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    costs: costs::Arguments,
}

#[derive(Subcommand)]
enum Part {
    /// This gateway and those that are installed, under the same load
    Load(load::Arguments),
    /// How soon a gateway with ten plugins answers, and what memory it takes
    Footprint(footprint::Arguments),
    /// Instructions of the paths of a request, held against those of the last time
    Instructions(instructions::Arguments),
}

/// Measures it: without a part, what each thing costs.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.part {
        Some(Part::Load(arguments)) => load::run(arguments),
        Some(Part::Footprint(arguments)) => footprint::run(arguments),
        Some(Part::Instructions(arguments)) => instructions::run(arguments),
        None => costs::run(&arguments.costs),
    }
}
