//! `cargo xtask test`: every check there is, in order, up to the first that fails.
//!
//! What continuous integration runs is this and nothing else. With `CI=true` in
//! the environment no check is left out because its tools are missing.

use std::{env, process::Command, time::Instant};

use anyhow::{Context, Result, bail};

use crate::{
    bench, conformance, demo, fuzz, plugins, release, soak,
    workspace::{self, cargo, ensure_wasm_target, succeed},
};

/// The exit code by which a script says that its tools are missing.
const TOOLS_ARE_MISSING: i32 = 77;

struct Step {
    name: &'static str,
    /// The command line that does this step alone.
    command: &'static str,
    run: fn(&'static str) -> Result<Outcome>,
}

enum Outcome {
    Passed,
    Skipped,
}

const STEPS: [Step; 15] = [
    step("format", "cargo fmt --all --check", in_cargo),
    step(
        "lints",
        "cargo clippy --workspace --all-targets -- -D warnings",
        in_cargo,
    ),
    step(
        "lints of components",
        "cargo clippy --target wasm32-wasip2 -p PLUGIN -- -D warnings",
        lint_components,
    ),
    step(
        "fuzz targets",
        "RUSTFLAGS='--cfg fuzzing -D warnings' cargo check --manifest-path fuzz/Cargo.toml",
        |_| done(fuzz::check()),
    ),
    step("plugins", "cargo xtask plugins", |_| done(plugins::run())),
    step("a filter in C", "examples/hello-c/build.sh", script),
    step(
        "a filter in JavaScript",
        "examples/hello-js/build.sh",
        script,
    ),
    step(
        "plugins of tests",
        "cargo build --release --target wasm32-wasip2 in host/tests/guests",
        |_| done(guests()),
    ),
    step(
        "tests",
        "cargo test --workspace --lib --bins --tests --examples --bench costs",
        in_cargo,
    ),
    step(
        "tests in the documentation",
        "cargo test --workspace --doc",
        in_cargo,
    ),
    step(
        "documentation",
        "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps",
        document,
    ),
    step(
        "instructions",
        "cargo xtask bench instructions",
        instructions,
    ),
    step("demo", "cargo xtask demo --check", |_| done(demo::check())),
    step(
        "load that a release is trained by",
        "cargo xtask release --rehearse --requests 200",
        rehearsal,
    ),
    step(
        "programs of others",
        "cargo xtask conformance h2load curl sslscan",
        others,
    ),
];

const fn step(
    name: &'static str,
    command: &'static str,
    run: fn(&'static str) -> Result<Outcome>,
) -> Step {
    Step { name, command, run }
}

/// Runs all steps. An error, after the count, if one failed.
pub(crate) fn run() -> Result<()> {
    let mut passed = 0;
    for Step { name, command, run } in &STEPS {
        println!("\n=== {name}: {command}");
        let start = Instant::now();
        let outcome = run(command);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(Outcome::Passed) => {
                passed += 1;
                println!("=== {name}: passed in {seconds:.1} s");
            }
            Ok(Outcome::Skipped) => println!("=== {name}: SKIPPED, .ci/run installs its tools"),
            Err(error) => {
                println!("=== {name}: FAILED after {seconds:.1} s: {error:#}");
                println!("=== to run it alone: {command}");
                println!("{passed} passed, 1 failed");
                bail!("{name} failed");
            }
        }
    }
    println!("{passed} passed, 0 failed");
    Ok(())
}

fn done(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

/// Runs a step whose command line is plain words, the first of them `cargo`.
fn in_cargo(command: &str) -> Result<Outcome> {
    let words: Vec<_> = command.split_whitespace().skip(1).collect();
    done(succeed(&mut cargo(&words)))
}

fn lint_components(_: &str) -> Result<Outcome> {
    ensure_wasm_target()?;
    let mut lint = cargo(&["clippy", "--target", "wasm32-wasip2"]);
    let benches = plugins::BENCH.map(String::from);
    for name in plugins::names()?.iter().chain(&benches) {
        lint.args(["-p", name]);
    }
    done(succeed(lint.args(["--", "-D", "warnings"])))
}

/// Builds what the tests build, so that one that does not build says so here.
fn guests() -> Result<()> {
    let each = soak::guests::PACKAGES.iter();
    each.copied()
        .try_for_each(|name| soak::guests::package(name).map(drop))
}

fn document(_: &str) -> Result<Outcome> {
    let mut document = cargo(&["doc", "--workspace", "--no-deps"]);
    done(succeed(document.env("RUSTDOCFLAGS", "-D warnings")))
}

/// Counts instructions, where there is what counts them: in CI always.
fn instructions(_: &str) -> Result<Outcome> {
    match bench::instructions::possible() || is_ci() {
        true => done(bench::instructions::check()),
        false => Ok(Outcome::Skipped),
    }
}

/// Lets a debug build serve what a release is trained by, where there is h2load.
fn rehearsal(_: &str) -> Result<Outcome> {
    match release::possible() || is_ci() {
        true => done(release::rehearse(200)),
        false => Ok(Outcome::Skipped),
    }
}

/// Lets programs try the gateway that take seconds: in CI all of them.
fn others(_: &str) -> Result<Outcome> {
    match conformance::quick()? {
        true => Ok(Outcome::Passed),
        false if is_ci() => bail!("not all could be run, and CI=true"),
        false => Ok(Outcome::Skipped),
    }
}

fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

/// Runs a build script of an example, which may lack its tools but not in CI.
/// It leaves its plugin in the folder `PLUGINS`.
fn script(path: &str) -> Result<Outcome> {
    let status = Command::new(path)
        .env("PLUGINS", workspace::root().join(plugins::directory()))
        .status()
        .with_context(|| format!("cannot run {path}"))?;
    match status.code() {
        Some(0) => Ok(Outcome::Passed),
        Some(TOOLS_ARE_MISSING) if !is_ci() => Ok(Outcome::Skipped),
        Some(TOOLS_ARE_MISSING) => bail!("its tools are missing, and CI=true"),
        _ => bail!("it ended with {status}"),
    }
}
