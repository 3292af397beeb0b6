//! Where things are, and how cargo is called. Used by every command.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("invariant: xtask/ lies in the workspace")
}

/// Where cargo builds: `CARGO_TARGET_DIR`, or `target`. Relative to the root
/// where it can be, since it is printed in command lines.
pub(crate) fn target() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    match target.strip_prefix(root()) {
        Ok(relative) => relative.to_owned(),
        Err(_) => target,
    }
}

/// Cargo, with the arguments given.
///
/// `cargo run` describes the package xtask to its child in environment
/// variables. Build scripts look at some of them, and would run again each
/// time cargo is called now from here and now from a shell; so they go.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command.args(arguments);
    command
}

/// Runs a command with its output on ours, and expects success.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Makes the WebAssembly target of the toolchain available.
///
/// Asks the compiler rather than rustup whether it is: toolchains that did not
/// come from rustup can have it too.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-wasip2";
    let library = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot run rustc")?;
    let library = String::from_utf8_lossy(&library.stdout);
    if !library.trim().is_empty() && Path::new(library.trim()).exists() {
        return Ok(());
    }
    println!("adding the target {TARGET} to the toolchain");
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("rustup target add {TARGET} ended with {status}"),
        Err(_) => bail!(
            "this Rust toolchain has no {TARGET} standard library, and there is no rustup to add it\n  \
             hint: install Rust from https://rustup.rs, or the package of your system that has this target"
        ),
    }
}
