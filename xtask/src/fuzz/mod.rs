//! `cargo xtask fuzz`: lets every fuzz target of `fuzz/` run for a while, by cargo-fuzz
//! and libFuzzer, on the toolchain that everything else is built with.
//!
//! Without the address sanitizer, which takes a nightly toolchain: `unsafe` is denied
//! in what is under test, and what is looked for are panics and broken promises.

mod heard;
mod report;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::workspace::{self, cargo, succeed};
use heard::Heard;

const VERSION: &str = "0.13.2";

/// The longest input, in bytes.
const LONGEST: &str = "-max_len=4096";

/// How many inputs of a target are committed, so that they stay a small part of it all.
const MOST_KEPT: usize = 256;

/// What `fuzz/` is compiled with by cargo-fuzz, as far as the source can tell.
const CFG: &str = "--cfg fuzzing";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The longest that one input may take, in seconds
    #[arg(long, default_value_t = 10)]
    patience: u32,
    /// Runs nothing; adds to fuzz/corpus what was found before and reaches new code
    #[arg(long)]
    keep: bool,
    /// Only these targets
    targets: Vec<String>,
}

/// Builds the targets and runs one after the other, until one fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let all = targets()?;
    let chosen = match arguments.targets.is_empty() {
        true => &all,
        false => &arguments.targets,
    };
    if let Some(name) = chosen.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{name}`: {}", all.join(", "));
    }
    let program = installed()?;
    let built = workspace::target().join("fuzz");
    let mut build = tool(&program, &["build"]);
    succeed(build.arg("--target-dir").arg(&built))?;
    for name in chosen {
        let run = target(&program, &built, name)?;
        if arguments.keep {
            keep(run, &built, name)?;
            continue;
        }
        println!("{name}: {} s", arguments.seconds);
        let heard = fuzz(run, arguments)
            .with_context(|| format!("{name}: the input is in fuzz/artifacts/{name}"))?;
        report::write(&built, name, &heard)?;
    }
    if !arguments.keep {
        println!("no finding in {} targets", chosen.len());
    }
    Ok(())
}

/// Checks that the targets compile, for `cargo xtask test`: nothing else of it does.
///
/// In a folder of its own, since with other flags all else would be built anew. None of
/// the dependencies is large, and libFuzzer, which nothing is linked with here, is not
/// compiled.
pub(crate) fn check() -> Result<()> {
    let folder = workspace::root()
        .join(workspace::target())
        .join("fuzz-check");
    let mut check = cargo(&["check", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    check.env("RUSTFLAGS", format!("{CFG} -D warnings"));
    check.env("CUSTOM_LIBFUZZER_PATH", folder.join("libnone.a"));
    succeed(check.arg("--target-dir").arg(folder))
}

/// A target with the inputs that were found before, and those of the repository. New
/// ones are kept in the first folder, the build's.
fn target(program: &Path, built: &Path, name: &str) -> Result<Target> {
    let found = built.join("corpus").join(name);
    fs::create_dir_all(&found)?;
    let mut command = tool(program, &["run", name]);
    command.arg("--target-dir").arg(built);
    let committed = Path::new("fuzz/corpus").join(name);
    Ok(Target {
        command,
        found,
        committed,
    })
}

struct Target {
    command: Command,
    found: PathBuf,
    committed: PathBuf,
}

/// Runs a target, and listens to what libFuzzer says of it.
fn fuzz(target: Target, arguments: &Arguments) -> Result<Heard> {
    let mut run = target.command;
    run.arg(target.found).arg(target.committed);
    run.args(["--", LONGEST, "-print_final_stats=1"]);
    run.arg(format!("-timeout={}", arguments.patience));
    run.arg(format!("-max_total_time={}", arguments.seconds));
    let shown = workspace::shown(&run);
    let mut child = run.stderr(Stdio::piped()).spawn()?;
    let words = child.stderr.take().context("its words are not heard")?;
    let mut heard = Heard::default();
    for line in BufReader::new(words).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        heard.line(&line);
    }
    let status = child.wait()?;
    match status.success() {
        true => Ok(heard),
        false => bail!("{shown} ended with {status}"),
    }
}

/// Adds to the committed inputs what reaches code that they do not, as few as do it. How
/// often an input reaches it is not looked at. The longest first, which reach most.
fn keep(target: Target, built: &Path, name: &str) -> Result<()> {
    let merged = built.join("merged").join(name);
    let _ = fs::remove_dir_all(&merged);
    fs::create_dir_all(&merged)?;
    let committed = files(&target.committed)?;
    for (_, path) in &committed {
        let file = path.file_name().context("an input has a name")?;
        fs::copy(path, merged.join(file))?;
    }
    let mut merge = target.command;
    merge.arg(&merged).arg(&target.found);
    succeed(merge.args(["--", LONGEST, "-set_cover_merge=1", "-use_counters=0"]))?;
    let mut room = MOST_KEPT.saturating_sub(committed.len());
    for (_, path) in files(&merged)?.iter().rev() {
        let file = path.file_name().context("an input has a name")?;
        let place = target.committed.join(file);
        if room > 0 && !place.exists() {
            fs::copy(path, place)?;
            room -= 1;
        }
    }
    println!(
        "{name}: {} inputs are kept, room for {room} more",
        MOST_KEPT - room
    );
    Ok(())
}

/// The files of a folder, the shortest first.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.push((fs::metadata(&path)?.len(), path));
    }
    files.sort();
    Ok(files)
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
        let mut install = cargo(&["install", "--locked", "cargo-fuzz", "--version", VERSION]);
        install.args(["--debug", "--root"]).arg(&tools);
        succeed(&mut install)?;
    }
    Ok(program)
}
