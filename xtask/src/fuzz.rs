//! `cargo xtask fuzz`: lets every fuzz target of `fuzz/` run for a while, by cargo-fuzz
//! and libFuzzer, on the toolchain that everything else is built with.
//!
//! Without the address sanitizer, which takes a nightly toolchain: `unsafe` is denied
//! in what is under test, and what is looked for are panics and broken promises.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::workspace::{self, succeed};

const VERSION: &str = "0.13.2";

/// The longest input, in bytes, and the longest time that one may take, in seconds.
const LONGEST: &str = "-max_len=4096";
const PATIENCE: &str = "-timeout=10";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only these targets
    targets: Vec<String>,
}

/// Builds the targets and runs one after the other, until one fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let program = installed()?;
    let built = workspace::target().join("fuzz");
    let mut build = tool(&program, &["build"]);
    succeed(build.arg("--target-dir").arg(&built))?;
    let all = targets()?;
    let chosen = match arguments.targets.is_empty() {
        true => &all,
        false => &arguments.targets,
    };
    for name in chosen {
        if !all.contains(name) {
            bail!("there is no target `{name}`: {}", all.join(", "));
        }
        println!("{name}: {} s", arguments.seconds);
        fuzz(&program, &built, name, arguments.seconds)?;
    }
    println!("no finding in {} targets", chosen.len());
    Ok(())
}

/// New inputs are kept in the build's folder: the committed corpus stays small.
fn fuzz(program: &Path, built: &Path, name: &str, seconds: u32) -> Result<()> {
    let found = built.join("corpus").join(name);
    fs::create_dir_all(&found)?;
    let mut run = tool(program, &["run", name]);
    run.arg("--target-dir").arg(built);
    run.arg(&found).arg(Path::new("fuzz/corpus").join(name));
    run.args(["--", LONGEST, PATIENCE, "-print_final_stats=1"]);
    succeed(run.arg(format!("-max_total_time={seconds}")))
        .with_context(|| format!("{name}: the input is in fuzz/artifacts/{name}"))
}

/// cargo-fuzz, called as cargo would.
fn tool(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("fuzz").args(arguments);
    command.args(["--sanitizer", "none"]);
    command
}

fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("fuzz/fuzz_targets")? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

/// Installs cargo-fuzz under `target/tools` unless it is there.
fn installed() -> Result<PathBuf> {
    let tools = workspace::target()
        .join("tools")
        .join(format!("cargo-fuzz-{VERSION}"));
    let program = tools.join("bin/cargo-fuzz");
    if !program.exists() {
        println!("installing cargo-fuzz {VERSION} into {}", tools.display());
        let mut install =
            workspace::cargo(&["install", "--locked", "cargo-fuzz", "--version", VERSION]);
        install.args(["--debug", "--root"]).arg(&tools);
        succeed(&mut install)?;
    }
    Ok(program)
}
