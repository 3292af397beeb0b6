//! `cargo xtask bench instructions`: how many instructions the paths of a
//! request take that are ours, and what it fetches from memory as one of many, held
//! against those of the last time.
//!
//! Instructions are as many on a busy machine as on an idle one, so a change that
//! makes a path longer fails a test and not somebody's patience. Lines differ by a
//! fifth from run to run; what they are there to find makes them two thirds more.
//! The paths are the functions of `benches/examples/instructions.rs`, and whole
//! requests (`requests`); valgrind counts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::{callgrind, requests};
use crate::{
    plugins,
    workspace::{self, cargo, succeed},
};

/// The counts of the last time, per path.
const BASELINE: &str = "benches/instructions.json";

/// What whole requests are called beside the paths.
const REQUEST: &str = "whole_request";

/// What the lines are called that one of 64 requests fetches from memory.
const FETCHED: &str = "lines_fetched_of_64";

/// How often the program goes each path.
const TIMES: u64 = 1_000;

/// By how much a count may be above or below that of the last time, in percent.
const TOLERANCE: f64 = 5.0;

/// The same for lines: which of them meet in a cache is for their addresses to say, and
/// on a busy machine what the gateway does now and then is done between more of them.
const TOLERANCE_OF_LINES: f64 = 30.0;

/// What is to be done with the counts.
#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Keep these counts for the next time instead of comparing them
    #[arg(long)]
    update: bool,
    /// Count nothing but whole requests through this gateway, and compare nothing:
    /// other settings of the compiler give other counts
    #[arg(long, conflicts_with = "update")]
    gateway: Option<PathBuf>,
}

/// True if there is what counts.
pub(crate) fn possible() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

/// Counts and compares.
pub(crate) fn check() -> Result<()> {
    run(&Arguments::default())
}

/// Counts, and compares or keeps.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        possible(),
        "there is no valgrind\n  hint: apt-get install valgrind"
    );
    if let Some(gateway) = &arguments.gateway {
        let counts = requests::plain(gateway)?;
        println!("{REQUEST}: {}", counts.instructions);
        println!("{FETCHED}: {}", counts.fetched);
        return Ok(());
    }
    let mut counts = count()?;
    let gateway = workspace::target().join("debug/portcullis");
    let requests = requests::plain(&gateway)?;
    counts.insert(REQUEST.to_owned(), requests.instructions);
    counts.insert(FETCHED.to_owned(), requests.fetched);
    if arguments.update {
        let text = serde_json::to_string_pretty(&counts)? + "\n";
        fs::write(BASELINE, text).with_context(|| format!("cannot write {BASELINE}"))?;
        print(&counts, &counts);
        println!("kept in {BASELINE}");
        return Ok(());
    }
    let text = fs::read_to_string(BASELINE).with_context(|| format!("cannot read {BASELINE}"))?;
    let known: BTreeMap<String, u64> =
        serde_json::from_str(&text).with_context(|| format!("{BASELINE} is no map of counts"))?;
    print(&counts, &known);
    match strayed(&counts, &known).as_slice() {
        [] => Ok(()),
        paths => bail!(
            "strayed by more than {TOLERANCE} % (lines: {TOLERANCE_OF_LINES} %): {}\n  hint: if that is meant, \
             `cargo xtask bench instructions --update` keeps the new counts; commit {BASELINE}",
            paths.join(", ")
        ),
    }
}

fn count() -> Result<BTreeMap<String, u64>> {
    plugins::run()?;
    println!("building the paths and the gateway");
    succeed(&mut cargo(&[
        "build",
        "--workspace",
        "--bin",
        "portcullis",
        "--example",
        "instructions",
    ]))?;
    let folder = workspace::target().join("instructions");
    fs::create_dir_all(&folder)?;
    let program = workspace::target().join("debug/examples/instructions");
    let out = folder.join("callgrind.out");
    let target = std::path::absolute(workspace::target())?;
    let run = |mut command: Command| {
        command.arg(folder.join("compiled"));
        succeed(command.env("CARGO_TARGET_DIR", &target))
    };
    // Compiles and keeps the plugins, which would take minutes under valgrind.
    run(Command::new(&program))?;
    println!("counting with valgrind, which takes a minute");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(&program);
    run(valgrind)?;
    let counts = callgrind::inclusive(&read(&out)?, "path_");
    ensure!(!counts.is_empty(), "no path was found in {}", out.display());
    Ok(counts
        .into_iter()
        .map(|(path, instructions)| (path, instructions / TIMES))
        .collect())
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The paths whose counts are not those of the last time, give or take.
fn strayed(counts: &BTreeMap<String, u64>, known: &BTreeMap<String, u64>) -> Vec<String> {
    let changed = counts.iter().filter_map(|(path, count)| {
        let Some(before) = known.get(path) else {
            return Some(format!("{path} is new"));
        };
        let change = percent(*count, *before);
        let tolerance = match path == FETCHED {
            true => TOLERANCE_OF_LINES,
            false => TOLERANCE,
        };
        (change.abs() > tolerance).then(|| format!("{path} by {change:+.1} %"))
    });
    let gone = known
        .keys()
        .filter(|path| !counts.contains_key(*path))
        .map(|path| format!("{path} is gone"));
    changed.chain(gone).collect()
}

fn percent(now: u64, before: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

fn print(counts: &BTreeMap<String, u64>, known: &BTreeMap<String, u64>) {
    println!("{:<24} {:>12} {:>12} {:>8}", "path", "before", "now", "");
    for (path, count) in counts {
        let before = known.get(path).copied().unwrap_or(*count);
        let change = percent(*count, before);
        println!("{path:<24} {before:>12} {count:>12} {change:>+7.1}%");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
        all.iter()
            .map(|(path, count)| ((*path).to_owned(), *count))
            .collect()
    }

    #[test]
    fn more_and_fewer_instructions_are_noticed_above_the_tolerance() {
        let known = counts(&[("a", 1_000), ("b", 1_000)]);
        for (now, expected) in [
            (&[("a", 1_049), ("b", 951)][..], &[][..]),
            (&[("a", 1_060), ("b", 1_000)], &["a by +6.0 %"]),
            (&[("a", 1_000), ("b", 900)], &["b by -10.0 %"]),
            (&[("a", 1_000)], &["b is gone"]),
            (&[("a", 1_000), ("b", 1_000), ("c", 1)], &["c is new"]),
        ] {
            assert_eq!(strayed(&counts(now), &known), expected);
        }
        let known = counts(&[(FETCHED, 100)]);
        for (now, expected) in [
            (&[(FETCHED, 129)][..], &[][..]),
            (&[(FETCHED, 131)], &["lines_fetched_of_64 by +31.0 %"]),
        ] {
            assert_eq!(strayed(&counts(now), &known), expected);
        }
    }
}
