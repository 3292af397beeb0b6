//! `cargo xtask release`: the gateway as it is shipped, by profile-guided
//! optimisation. A first build counts what its code does, is put under [load](training),
//! and what it has counted guides the compiler in a second: what every request goes
//! through lies together, and is made fast; what seldom happens is made small.

mod training;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use training::Training;

use crate::{
    interrupt, plugins,
    workspace::{self, cargo, succeed},
};

/// The file of what was counted.
const PROFILE: &str = "profile.profdata";

/// The folder that is built in with it.
const BUILT: &str = "built";

/// How the gateway is trained.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Requests of each part of the load
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(100..))]
    requests: u32,
    /// Only puts a debug build under the load
    #[arg(long)]
    rehearse: bool,
}

/// Builds, trains, builds.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    training::ensure_tools()?;
    match arguments.rehearse {
        true => rehearse(arguments.requests),
        false => release(arguments.requests),
    }
}

/// Whether there is what the load is made with.
pub(crate) fn possible() -> bool {
    training::ensure_tools().is_ok()
}

/// Puts a debug build under the load: what the tests do, since the real thing takes
/// forty minutes.
pub(crate) fn rehearse(requests: u32) -> Result<()> {
    let interrupted = interrupt::watch()?;
    plugins::run()?;
    succeed(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let built = workspace::target().join("debug");
    let training = Training {
        gateway: &built.join("portcullis"),
        load: &built.join("load"),
        folder: &folder()?,
        requests,
    };
    training.run(&interrupted)
}

fn release(requests: u32) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let toolchain = Toolchain::find()?;
    plugins::run()?;
    succeed(&mut cargo(&["build", "--release", "-p", "load"]))?;
    let folder = folder()?;
    let counts = folder.join("counts");
    clear(&counts)?;
    fs::create_dir_all(&counts)?;

    println!("1 of 3: a gateway that counts what its code does");
    let flags = flag("profile-generate", &counts);
    let gateway = toolchain.build(&folder.join("counting"), &flags)?;
    println!("2 of 3: load, {requests} requests of each kind");
    let training = Training {
        gateway: &gateway,
        load: &workspace::target().join("release/load"),
        folder: &folder,
        requests,
    };
    training.run(&interrupted)?;
    // Cargo does not look into a profile: what an earlier one guided would stay.
    clear(&folder.join(BUILT))?;
    let profile = folder.join(PROFILE);
    toolchain.merge(&counts, &profile)?;
    println!("3 of 3: the gateway, guided by that");
    let flags = flag("profile-use", &profile);
    let built = toolchain.build(&folder.join(BUILT), &flags)?;
    let gateway = folder.join("portcullis");
    fs::copy(&built, &gateway).with_context(|| format!("cannot write {}", gateway.display()))?;
    println!("written: {}", gateway.display());
    Ok(())
}

/// Has cargo build something else guided by the profile that a release was.
pub(crate) fn guide(build: &mut Command) -> Result<()> {
    let folder = folder()?;
    let profile = folder.join(PROFILE);
    ensure!(
        profile.exists(),
        "there is no profile yet\n  hint: cargo xtask release"
    );
    let flags = flag("profile-use", &profile);
    Toolchain::find()?.direct(build, &folder.join(BUILT), &flags);
    Ok(())
}

/// Where everything goes, made if it is not there.
fn folder() -> Result<PathBuf> {
    let folder = std::path::absolute(workspace::target().join("guided"))?;
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Removes a folder, if it is there.
fn clear(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display())),
        false => Ok(()),
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("-C{name}={}", path.display())
}

/// What comes with the compiler.
struct Toolchain {
    /// The machine that it builds for. Named, so that the flags are not for what runs
    /// during the build: its scripts would count, too.
    target: String,
    /// Where its tools are.
    tools: PathBuf,
}

impl Toolchain {
    /// Finds the tools, and adds them if they are missing.
    fn find() -> Result<Self> {
        let library = rustc(&["--print", "target-libdir"])?;
        let library = Path::new(library.trim());
        let tools = library
            .parent()
            .context("rustc has no folder of its own")?
            .join("bin");
        let about = rustc(&["-vV"])?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        let found = Self {
            target: host
                .context("rustc does not say what it runs on")?
                .to_owned(),
            tools,
        };
        if !found.profdata().exists() {
            println!("adding llvm-tools to the toolchain");
            let mut add = Command::new("rustup");
            succeed(add.args(["component", "add", "llvm-tools"])).with_context(|| {
                let program = found.profdata();
                format!(
                    "there is no {}\n  hint: install Rust from https://rustup.rs",
                    program.display()
                )
            })?;
        }
        Ok(found)
    }

    fn profdata(&self) -> PathBuf {
        self.tools.join("llvm-profdata")
    }

    /// Builds the gateway with a flag for the compiler more.
    fn build(&self, folder: &Path, flag: &str) -> Result<PathBuf> {
        let mut build = cargo(&["build", "--release", "--workspace", "--bin", "portcullis"]);
        self.direct(&mut build, folder, flag);
        succeed(&mut build)?;
        Ok(folder.join(&self.target).join("release/portcullis"))
    }

    /// Has cargo build in a folder of its own, with a flag for the compiler more than
    /// `RUSTFLAGS` has. Those of cargo's configuration do not count then.
    fn direct(&self, build: &mut Command, folder: &Path, flag: &str) {
        // The other way to give flags cannot have spaces in a path.
        const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
        const SEPARATOR: &str = "\x1f";
        let given = env::var("RUSTFLAGS").unwrap_or_default();
        let flags: Vec<_> = given.split_whitespace().chain([flag]).collect();
        build.args(["--target", &self.target]);
        build.arg("--target-dir").arg(folder);
        build.env(FLAGS, flags.join(SEPARATOR));
    }

    /// Makes one profile of all that was counted.
    fn merge(&self, counts: &Path, profile: &Path) -> Result<()> {
        let files = fs::read_dir(counts)?.count();
        ensure!(
            files > 0,
            "the gateway has counted nothing\n  hint: how it ended is in portcullis.log beside {}",
            counts.display()
        );
        let mut merge = Command::new(self.profdata());
        succeed(merge.args(["merge", "-o"]).arg(profile).arg(counts))
    }
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(arguments).output();
    let output = output.context("cannot run rustc")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "rustc says: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
