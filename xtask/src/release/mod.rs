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

/// The file of what was counted. Always the same: cargo does not look into it, so
/// dependencies that were guided once stay as they are.
const PROFILE: &str = "profile.profdata";

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
    plugins::run()?;
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
/// half an hour.
pub(crate) fn rehearse(requests: u32) -> Result<()> {
    let interrupted = interrupt::watch()?;
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
    succeed(&mut cargo(&["build", "--release", "-p", "load"]))?;
    let folder = folder()?;
    let counts = folder.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts)?;
    }
    fs::create_dir_all(&counts)?;

    println!("1 of 3: a gateway that counts what its code does");
    let gateway = toolchain.build(&folder, &flag("profile-generate", &counts))?;
    println!("2 of 3: load, {requests} requests of each kind");
    let training = Training {
        gateway: &gateway,
        load: &workspace::target().join("release/load"),
        folder: &folder,
        requests,
    };
    training.run(&interrupted)?;
    let profile = folder.join(PROFILE);
    toolchain.merge(&counts, &profile)?;
    println!("3 of 3: the gateway, guided by that");
    let built = toolchain.build(&folder, &flag("profile-use", &profile))?;
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
    Toolchain::find()?.direct(build, &folder, &flag("profile-use", &profile));
    Ok(())
}

/// Where everything goes, made if it is not there.
fn folder() -> Result<PathBuf> {
    let folder = std::path::absolute(workspace::target().join("guided"))?;
    fs::create_dir_all(&folder)?;
    Ok(folder)
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
            succeed(Command::new("rustup").args(["component", "add", "llvm-tools"]))
                .context("this Rust toolchain has no llvm-profdata")?;
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

    /// Has cargo build in a folder of its own, with a flag for the compiler more.
    fn direct(&self, build: &mut Command, folder: &Path, flag: &str) {
        const SEPARATOR: &str = "\x1f";
        const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
        let given = env::var("RUSTFLAGS").unwrap_or_default();
        let flags: Vec<_> = given.split_whitespace().chain([flag]).collect();
        build.args(["--target", &self.target]);
        build.arg("--target-dir").arg(folder);
        build.env(FLAGS, flags.join(SEPARATOR));
    }

    /// Makes one profile of all that was counted.
    fn merge(&self, counts: &Path, profile: &Path) -> Result<()> {
        let files = fs::read_dir(counts)?.count();
        ensure!(files > 0, "the gateway has counted nothing");
        let mut merge = Command::new(self.profdata());
        succeed(merge.args(["merge", "-o"]).arg(profile).arg(counts))
    }
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(arguments).output();
    let output = output.context("cannot run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
