//! `cargo xtask plugins`: every plugin of this repository, compiled to a
//! component in `target/plugins/NAME.wasm`, with its description inside.
//!
//! Also used by `demo`, `test` and `bench`. A plugin is a crate in `plugins/`, or one of
//! [`EXAMPLES`]; the folder's name is the package's name.

use std::{fs, path::Path, path::PathBuf, process::Command, time::SystemTime};

use anyhow::{Context, Result};

use crate::workspace::{self, cargo, ensure_wasm_target, succeed};

/// Plugins that are examples of how to write one.
const EXAMPLES: [&str; 2] = ["examples/hello-filter", "examples/quickstart/hello-again"];

/// Plugins that are of use to benchmarks only, and so in a folder of their own.
pub(crate) const BENCH: [&str; 1] = ["probe"];

/// Builds all plugins.
pub(crate) fn run() -> Result<()> {
    build(&names()?, &directory())?;
    build(&BENCH.map(String::from), &bench_directory())
}

/// Builds some packages of the workspace as plugins, into a folder.
pub(crate) fn build(names: &[String], directory: &Path) -> Result<()> {
    ensure_wasm_target()?;
    println!("building {} plugins for wasm32-wasip2", names.len());
    let mut build = cargo(&["build", "--profile", "plugin", "--target", "wasm32-wasip2"]);
    for name in names {
        build.args(["-p", name]);
    }
    succeed(&mut build)?;
    describe(names)?;
    fs::create_dir_all(directory)?;
    for name in names {
        let to = directory.join(format!("{name}.wasm"));
        let change = replace(&described(name), &to)?;
        let kibibytes = fs::metadata(&to)?.len().div_ceil(1024);
        println!("  {} {kibibytes} KiB, {change}", to.display());
    }
    Ok(())
}

/// Lets the gateway write into each plugin that is new what it says of itself.
fn describe(names: &[String]) -> Result<()> {
    let is_new = |name: &&String| {
        let time = |file| fs::metadata(file).and_then(|about| about.modified()).ok();
        time(described(name)) < time(built(name))
    };
    let new: Vec<_> = names.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    succeed(&mut cargo(&["build", "--workspace", "--bins"]))?;
    for name in new {
        let mut embed = Command::new(workspace::target().join("debug/portcullis"));
        embed.args(["plugin", "embed"]).arg(built(name));
        succeed(embed.arg("--out").arg(described(name)))?;
        // An equal one is left as it is; it counts as written all the same.
        let file = fs::File::options().append(true).open(described(name))?;
        file.set_modified(SystemTime::now())?;
    }
    Ok(())
}

/// Where the finished plugins are.
pub(crate) fn directory() -> PathBuf {
    workspace::target().join("plugins")
}

/// Where the plugins of benchmarks are, beside copies of others.
pub(crate) fn bench_directory() -> PathBuf {
    workspace::target().join("bench-plugins")
}

/// The names of all plugins, in order.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut folders: Vec<_> = EXAMPLES.iter().map(PathBuf::from).collect();
    for entry in fs::read_dir("plugins").context("cannot read plugins/")? {
        folders.push(entry?.path());
    }
    let mut names: Vec<_> = folders
        .iter()
        .filter(|folder| folder.join("Cargo.toml").exists())
        .filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Puts a copy of one file in place of another in one step, so that nobody who
/// watches ever sees half of it; leaves an equal one alone, so that nobody is
/// woken for nothing. Says in a word what happened.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<&'static str> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|present| present == bytes) {
        return Ok("unchanged");
    }
    let half = to.with_extension("wasm.part");
    let written = fs::write(&half, bytes).and_then(|()| fs::rename(&half, to));
    written.with_context(|| format!("cannot write {}", to.display()))?;
    Ok("new")
}

/// What cargo makes.
fn built(name: &str) -> PathBuf {
    built_as(name, "wasm")
}

/// The same with its description.
fn described(name: &str) -> PathBuf {
    built_as(name, "described.wasm")
}

fn built_as(name: &str, extension: &str) -> PathBuf {
    let file = format!("{}.{extension}", name.replace('-', "_"));
    workspace::target().join("wasm32-wasip2/plugin").join(file)
}
