//! The load that a gateway is trained by: all protocols, with filters and without,
//! with bodies and without. `training.yaml` configures the gateway.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::AtomicBool,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::load::{
        contender::{SECRET, TOKEN},
        site::Ports,
    },
    certificate, interrupt, plugins,
    probe::wait_until_ready,
    process::Process,
    workspace::succeed,
};

/// How long a gateway that counts may take to start.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Bytes of a request's body, where there is one.
const BODY: usize = 4 << 10;

/// The most that one scene may take, by one protocol.
const MOST_SECONDS: &str = "600";

/// Names the file that a program writes its counts to.
const COUNTS: &str = "LLVM_PROFILE_FILE";

/// HTTP/2 is begun by prior knowledge, or agreed to by ALPN.
const PROTOCOLS: [Protocol; 2] = [
    Protocol {
        name: "HTTP/1.1",
        arguments: &["--h1", "-c", "64"],
    },
    Protocol {
        name: "HTTP/2",
        arguments: &["-c", "8", "-m", "8"],
    },
];

/// What is asked for, over both versions of HTTP.
const SCENES: [Scene; 9] = [
    Scene::plain("/plain"),
    Scene::plain("/users/42"),
    Scene::plain("/fresh"),
    Scene::plain("/again"),
    Scene::secure("/plain"),
    Scene::secure("/users/42"),
    Scene::with_body("/plain"),
    Scene::with_body("/counted"),
    Scene::with_body("/masked"),
];

/// How h2load speaks.
struct Protocol {
    name: &'static str,
    arguments: &'static [&'static str],
}

/// Requests of one kind.
struct Scene {
    path: &'static str,
    tls: bool,
    body: bool,
}

impl Scene {
    const fn plain(path: &'static str) -> Self {
        Self {
            path,
            tls: false,
            body: false,
        }
    }

    const fn secure(path: &'static str) -> Self {
        Self {
            tls: true,
            ..Self::plain(path)
        }
    }

    const fn with_body(path: &'static str) -> Self {
        Self {
            body: true,
            ..Self::plain(path)
        }
    }
}

/// Fails if something is missing, before anything is built.
pub(super) fn ensure_tools() -> Result<()> {
    for (program, question, package) in [
        ("h2load", "--version", "nghttp2-client"),
        ("openssl", "version", "openssl"),
        ("timeout", "--version", "coreutils"),
    ] {
        let found = Command::new(program).arg(question).output();
        found
            .with_context(|| format!("cannot run {program}\n  hint: apt-get install {package}"))?;
    }
    Ok(())
}

/// A gateway that is put under load.
pub(super) struct Training<'a> {
    pub(super) gateway: &'a Path,
    /// The program that is the origin.
    pub(super) load: &'a Path,
    pub(super) folder: &'a Path,
    /// Of each scene and protocol.
    pub(super) requests: u32,
}

impl Training<'_> {
    /// Starts it, lets it serve, and stops it, so that it writes what it has counted.
    pub(super) fn run(&self, interrupted: &AtomicBool) -> Result<()> {
        let house = House::furnish(self.folder)?;
        let mut origin = Command::new(self.load);
        origin.args(["origin", "--body", "1024"]);
        for port in house.origins {
            origin.args(["--address", &format!("127.0.0.1:{port}")]);
        }
        let _origin = Process::start("origin", &mut origin, self.folder)?;
        let mut gateway = self.start(&house)?;
        for scene in &SCENES {
            for protocol in &PROTOCOLS {
                interrupt::check(interrupted)?;
                house.play(scene, protocol, self.requests, interrupted)?;
            }
        }
        gateway.stop();
        Ok(())
    }

    fn start(&self, house: &House) -> Result<Process> {
        // Compiles the plugins, which is not what it is to be good at.
        let mut check = Command::new(self.gateway);
        check.args(["check", "--config"]).arg(&house.configuration);
        succeed(check.env(COUNTS, "/dev/null"))?;

        let mut run = Command::new(self.gateway);
        run.args(["run", "--log", "warn", "--config"]);
        run.arg(&house.configuration).env_remove(COUNTS);
        let mut process = Process::start("portcullis", &mut run, self.folder)?;
        let look = || match process.ended()? {
            Some(status) => bail!(process.epitaph(status)),
            None => Ok(()),
        };
        wait_until_ready("the gateway", house.plain, "/plain", "", START_WITHIN, look)?;
        Ok(process)
    }
}

/// Where the gateway lives while it is trained.
struct House {
    configuration: PathBuf,
    body: PathBuf,
    plain: u16,
    secure: u16,
    origins: [u16; 2],
}

impl House {
    fn furnish(folder: &Path) -> Result<Self> {
        certificate::make(folder)?;
        let body = folder.join("body");
        fs::write(&body, vec![b'a'; BODY])?;
        let mut ports = Ports::new();
        let [plain, secure, admin] = [ports.take()?, ports.take()?, ports.take()?];
        let origins = [ports.take()?, ports.take()?];
        let plugins = std::path::absolute(plugins::directory())?;
        let text = include_str!("training.yaml")
            .replace("@PORT@", &plain.to_string())
            .replace("@SECURE_PORT@", &secure.to_string())
            .replace("@ADMIN_PORT@", &admin.to_string())
            .replace("@ORIGIN_PORT@", &origins[0].to_string())
            .replace("@SECOND_PORT@", &origins[1].to_string())
            .replace("@PLUGINS@", &plugins.display().to_string())
            .replace("@SECRET@", SECRET);
        let configuration = folder.join("portcullis.yaml");
        fs::write(&configuration, text)?;
        Ok(Self {
            configuration,
            body,
            plain,
            secure,
            origins,
        })
    }

    /// Sends the requests of a scene, all of which have to be answered well.
    fn play(
        &self,
        scene: &Scene,
        protocol: &Protocol,
        requests: u32,
        interrupted: &AtomicBool,
    ) -> Result<()> {
        let url = match scene.tls {
            false => format!("http://127.0.0.1:{}{}", self.plain, scene.path),
            true => format!("https://localhost:{}{}", self.secure, scene.path),
        };
        let mut load = Command::new("timeout");
        // Not in a group of its own, so that an interrupt reaches it.
        load.args(["--foreground", "--signal=KILL", MOST_SECONDS, "h2load"]);
        load.args(protocol.arguments);
        load.args(["-n", &requests.to_string()]);
        load.args(["-H", &format!("authorization: Bearer {TOKEN}")]);
        if scene.body {
            load.arg("-d").arg(&self.body);
        }
        let output = load.arg(&url).output().context("cannot run timeout")?;
        interrupt::check(interrupted)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let good = format!("status codes: {requests} 2xx");
        ensure!(
            said.contains(&good),
            "{url} was not answered well: {said}{complaint}"
        );
        let finished = said.lines().find(|line| line.starts_with("finished"));
        let finished = finished.unwrap_or("finished");
        let body = if scene.body { ", with bodies" } else { "" };
        println!("  {} {url}{body}: {finished}", protocol.name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_load_has_a_route() {
        let configured = include_str!("training.yaml");
        for scene in &SCENES {
            let path = scene.path.replace("/users/42", "\"/users/{id}\"");
            let route = format!("match: {{ path: {path} }}");
            assert!(configured.contains(&route), "{route}");
        }
    }
}
