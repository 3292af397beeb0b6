//! `redbot`: what a response says of itself, and whether it holds to it.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::Tools,
    stage::Stage,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "redbot, a cached resource",
        expected: "nothing bad, no warning",
        run: |stage, tools| redbot(stage, tools, "/cached"),
    },
    Check {
        name: "redbot, a response in chunks",
        expected: "nothing bad, no warning",
        run: |stage, tools| redbot(stage, tools, "/streamed"),
    },
];

fn redbot(stage: &Stage, tools: &Tools, path: &str) -> Result<Outcome> {
    let Some(python) = tools.python_with("redbot") else {
        return Ok(Outcome::NotRun("there is no redbot".into()));
    };
    let text = said(
        120,
        &python,
        &[&stage.script("redbot_notes"), &stage.http(path)],
    )?;
    let notes = || text.lines().map(|line| line.trim_start_matches([' ', '*']));
    let levels = ["bad:", "warning:"];
    let held = notes().filter(|note| levels.iter().any(|level| note.starts_with(level)));
    let held: Vec<_> = held.collect();
    // Without any word of praise it has not come as far as to look.
    let looked = notes().any(|note| note.starts_with("good:"));
    let came = if held.is_empty() {
        text.clone()
    } else {
        held.join("; ")
    };
    Ok(Outcome::of(looked && held.is_empty(), came))
}
