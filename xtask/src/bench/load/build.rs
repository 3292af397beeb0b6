//! What must be there before anything can be measured. Used by `run`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use anyhow::{Context, Result, ensure};

use super::{
    Arguments, own,
    site::Pinning,
    tool::{Load, Tool},
};
use crate::{
    plugins,
    workspace::{self, cargo, succeed},
};

/// Where everything is that was built.
pub(crate) struct Built {
    /// The gateway.
    pub(crate) gateway: PathBuf,
    /// The origin and the load generators.
    pub(crate) load: PathBuf,
    /// A folder with all plugins that the gateway is configured with.
    pub(crate) plugins: PathBuf,
}

/// Builds what is not given.
pub(crate) fn all(gateway: Option<&Path>, profile: &str) -> Result<Built> {
    let mut build = cargo(&["build", "--profile", profile]);
    match gateway {
        Some(gateway) => {
            ensure!(gateway.exists(), "there is no {}", gateway.display());
            build.args(["-p", "load"]);
        }
        None => {
            plugins::run()?;
            build.args(["--workspace", "--bin", "portcullis", "--bin", "load"]);
        }
    }
    println!("building with profile {profile}");
    succeed(&mut build)?;
    let folder = workspace::target().join(if profile == "dev" { "debug" } else { profile });
    Ok(Built {
        gateway: absolute(gateway.unwrap_or(&folder.join("portcullis")))?,
        load: absolute(&folder.join("load"))?,
        plugins: furnish()?,
    })
}

/// A folder with those plugins only that are measured.
fn furnish() -> Result<PathBuf> {
    let folder = plugins::bench_directory();
    plugins::build(&plugins::BENCH.map(String::from), &folder)?;
    for name in own::STANDARD_PLUGINS {
        let file = format!("{name}.wasm");
        plugins::replace(&plugins::directory().join(&file), &folder.join(&file))
            .context("cargo xtask plugins builds it")?;
    }
    Ok(fs::canonicalize(folder)?)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

impl Built {
    /// The load generator with what is the same in all measurements.
    pub(crate) fn tool<'a>(
        &self,
        arguments: &Arguments,
        pinning: Pinning,
        interrupted: &'a AtomicBool,
    ) -> Tool<'a> {
        Tool {
            program: self.load.clone(),
            pinning,
            interrupted,
            load: Load {
                connections: arguments.connections,
                seconds: arguments.seconds,
                rate: arguments.rate,
            },
        }
    }
}
