//! What is needed: found, or installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::workspace::{self, succeed};

/// Debian's packages, each with the program that is looked for.
const PACKAGES: [(&str, &str); 8] = [
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("h2load", "nghttp2-client"),
    ("openssl", "openssl"),
    ("python3", "python3-venv"),
    ("slowhttptest", "slowhttptest"),
    ("sslscan", "sslscan"),
    ("testssl", "testssl.sh"),
];

/// PyPI's, in versions that were tried.
const PYTHON: [&str; 3] = ["grpcio==1.85.1", "redbot==2.7.1", "websockets==17.4"];

/// Where PyPI's packages are.
pub(super) struct Tools {
    environment: PathBuf,
}

impl Tools {
    /// Installs what is missing, unless that is not wanted. What cannot be had is
    /// for the checks to miss.
    pub(super) fn ready(install: bool) -> Result<Self> {
        let tools = Self {
            environment: workspace::root()
                .join(workspace::target())
                .join("conformance/python"),
        };
        if install {
            packages();
            tools.python();
        }
        Ok(tools)
    }

    /// Python with what is installed there.
    pub(super) fn python_program(&self) -> Option<String> {
        let path = self.environment.join("bin/python");
        path.exists().then(|| path.display().to_string())
    }

    /// Python, if it has a module.
    pub(super) fn python_with(&self, module: &str) -> Option<String> {
        let python = self.python_program()?;
        let import = format!("import {module}");
        let output = Command::new(&python).args(["-c", &import]).output();
        output
            .is_ok_and(|output| output.status.success())
            .then_some(python)
    }

    fn python(&self) {
        let modules = ["grpc", "redbot", "websockets"];
        if modules
            .iter()
            .all(|module| self.python_with(module).is_some())
        {
            return;
        }
        println!(
            "installing {} into {}",
            PYTHON.join(", "),
            self.environment.display()
        );
        let mut create = Command::new("python3");
        let mut install = Command::new(self.environment.join("bin/pip"));
        let made = succeed(create.args(["-m", "venv"]).arg(&self.environment));
        let all = made.and_then(|()| succeed(install.args(["install", "--quiet"]).args(PYTHON)));
        if let Err(error) = all {
            println!("not installed: {error:#}");
        }
    }
}

/// True if a program can be called.
pub(super) fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| Path::new(&folder).join(program).exists())
}

fn packages() {
    let missing = PACKAGES.iter().filter(|(program, _)| !is_there(program));
    let names: Vec<_> = missing.map(|(_, package)| *package).collect();
    if names.is_empty() {
        return;
    }
    println!("installing {} with apt-get", names.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]);
    if let Err(error) = succeed(install.args(names)) {
        println!("not installed: {error:#}");
    }
}
