//! The table: printed line by line, and written with the machine and the programs.

use std::fs;

use anyhow::{Context, Result};

use super::{
    check::{Check, Outcome},
    install::Tools,
    stage::Stage,
};
use crate::bench::machine::{Machine, output};

const HEAD: &str = "| | what | expected | came |\n|---|---|---|---|";

/// What came of all checks so far.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<String>,
    tally: [usize; 3],
}

impl Report {
    /// Runs checks, and prints what comes of each.
    pub(super) fn of<'a>(
        checks: impl Iterator<Item = &'a Check>,
        stage: &Stage,
        tools: &Tools,
    ) -> Self {
        let mut report = Self::default();
        println!("{HEAD}");
        for check in checks {
            let outcome = (check.run)(stage, tools).unwrap_or_else(Outcome::from);
            report.take(check, &outcome);
            println!("{}", report.lines[report.lines.len() - 1]);
        }
        println!("\n{}", report.sum());
        report
    }

    fn take(&mut self, check: &Check, outcome: &Outcome) {
        let (mark, came) = match outcome {
            Outcome::AsExpected => ("ok", "as expected"),
            Outcome::Otherwise(came) => ("FAILED", came.as_str()),
            Outcome::NotRun(why) => ("not run", why.as_str()),
        };
        self.tally[outcome.index()] += 1;
        let came = came.trim().replace('\n', "; ").replace('|', "\\|");
        let (name, expected) = (check.name, check.expected);
        self.lines
            .push(format!("| {mark} | {name} | {expected} | {came} |"));
    }

    fn sum(&self) -> String {
        let [good, otherwise, not_run] = self.tally;
        format!("{good} as expected, {otherwise} otherwise, {not_run} not run")
    }

    /// True if nothing came out otherwise.
    pub(super) fn is_good(&self) -> bool {
        self.tally[1] == 0
    }

    /// True if all could be run.
    pub(super) fn is_whole(&self) -> bool {
        self.tally[2] == 0
    }

    /// Writes the table into the stage's folder.
    pub(super) fn write(&self, stage: &Stage, tools: &Tools) -> Result<()> {
        let machine = Machine::here(versions(tools));
        let (lines, notes) = (self.lines.join("\n"), machine.list());
        let sum = self.sum();
        let text = format!("# Conformance\n\n{HEAD}\n{lines}\n\n{sum}.\n\n{notes}");
        let path = stage.folder().join("conformance.md");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
        Ok(())
    }
}

/// What the programs say of themselves. Those that are not there say nothing.
fn versions(tools: &Tools) -> Vec<(&'static str, String)> {
    let python = tools.python_program().unwrap_or_default();
    let package = |name: &str| {
        let text =
            format!("import importlib.metadata; print(importlib.metadata.version('{name}'))");
        output(&python, &["-c", &text])
    };
    vec![
        ("h2load", output("h2load", &["--version"])),
        ("curl", output("curl", &["--version"])),
        ("Chromium", output("chromium", &["--version"])),
        ("grpcio", package("grpcio")),
        ("redbot", package("redbot")),
        ("websockets", package("websockets")),
        (
            "testssl.sh, sslscan, slowhttptest",
            debian(&["testssl.sh", "sslscan", "slowhttptest"]),
        ),
    ]
}

/// The versions of Debian's packages, whose programs print them among colours.
fn debian(packages: &[&str]) -> String {
    let version = |package: &&str| output("dpkg-query", &["-W", "-f", "${Version}", package]);
    let versions: Vec<_> = packages.iter().map(version).collect();
    versions.join(", ")
}
