//! The command from its options to what it prints.

use std::fmt;

use super::{
    Effort, Options,
    canned::Canned,
    compare::{self, Comparison},
    measure::{measure, observe},
    report::Report,
    request::{self, Request},
    scene::{Plan, Scene},
    synthetic, table,
};

/// What was found out; `Display` shows it to people.
pub enum Outcome {
    /// What each filter costs.
    Cost(Box<Report>),
    /// What two files of a plugin differ in.
    Difference(Box<Comparison>),
}

impl Outcome {
    /// The same for scripts.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Cost(report) => report.to_json(),
            Self::Difference(comparison) => comparison.to_json(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cost(report) => table::report(report, f),
            Self::Difference(comparison) => table::comparison(comparison, f),
        }
    }
}

/// Requests of which the work is counted.
pub(super) const OBSERVED: u64 = 100;

/// Does what the command line asks for. Blocks for as long as it takes.
///
/// # Errors
///
/// A text with every mistake in the configuration, or the one in the request.
pub fn run(
    options: &Options,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Outcome, String> {
    let plan = Plan::read(&options.config, &options.route, environment)?;
    let request = request(options, &plan)?;
    match &options.compare {
        None => cost(&plan, &request, options.effort)
            .map(Box::new)
            .map(Outcome::Cost),
        Some(asked) => compare::run(&plan, &request, asked, options.effort)
            .map(Box::new)
            .map(Outcome::Difference),
    }
}

fn request(options: &Options, plan: &Plan) -> Result<Request, String> {
    match &options.request {
        Some(file) => request::read(file),
        None => Ok(synthetic::for_route(&plan.route().matches)),
    }
}

fn cost(plan: &Plan, request: &Request, effort: Effort) -> Result<Report, String> {
    // The runtime that counts is gone before the other one starts: it has other
    // code, and is not what serves.
    let work = {
        let runtime = plan.counting_runtime()?;
        let scene = Scene::new(plan, &runtime, None)?;
        let canned = Canned::new(request, &scene)?;
        observe(&scene, &canned, OBSERVED)
    };
    let runtime = plan.runtime()?;
    let scene = Scene::new(plan, &runtime, None)?;
    let canned = Canned::new(request, &scene)?;
    let measured = measure(&scene, &canned, effort);
    Ok(Report::new(plan, request, &scene, measured, work))
}
