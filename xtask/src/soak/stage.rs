//! Where it happens: an origin, and gateways one after the other.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{arguments::Common, sender::Sender};
use crate::{
    bench::load::{site::Ports, usage},
    interrupt, plugins,
    probe::{self, wait_until_ready},
    process::Process,
    workspace::{self, cargo, succeed},
};

/// How long a gateway may take to start: plugins are compiled in it.
const START_WITHIN: Duration = Duration::from_secs(120);

/// Bytes of a usual response.
pub(crate) const SMALL: usize = 1024;

/// An origin, and what gateways are started with.
pub(crate) struct Stage<'a> {
    folder: PathBuf,
    gateway: PathBuf,
    load: PathBuf,
    workers: u16,
    ports: Ports,
    origin_port: u16,
    origin: Process,
    interrupted: &'a AtomicBool,
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) plugins: PathBuf,
    admin_port: u16,
    process: Process,
}

impl<'a> Stage<'a> {
    /// Builds what is not given, and starts the origin, whose responses have
    /// bodies of so many bytes.
    pub(crate) fn set(
        arguments: &Common,
        body: usize,
        interrupted: &'a AtomicBool,
    ) -> Result<Self> {
        let profile = &*arguments.profile;
        let mut build = cargo(&["build", "--profile", profile]);
        match &arguments.gateway {
            Some(_) => build.args(["-p", "load"]),
            None => {
                plugins::run()?;
                build.args(["--workspace", "--bins"])
            }
        };
        println!("building with profile {profile}");
        succeed(&mut build)?;
        let built = workspace::target().join(if profile == "dev" { "debug" } else { profile });
        let gateway = arguments.gateway.clone();
        let load = std::path::absolute(built.join("load"))?;
        let folder = std::path::absolute(workspace::target().join("soak-run"))?;
        let mut ports = Ports::new();
        let origin_port = ports.take()?;
        let mut stage = Self {
            origin: origin(&load, origin_port, body, &folder)?,
            gateway: std::path::absolute(gateway.unwrap_or_else(|| built.join("portcullis")))?,
            load,
            workers: arguments.workers,
            ports,
            origin_port,
            interrupted,
            folder,
        };
        wait_until_ready("the origin", origin_port, "/", "", START_WITHIN, || {
            look(&mut stage.origin, interrupted)
        })?;
        Ok(stage)
    }

    /// Starts a gateway with these files in its plugin directory. Its routes have
    /// the service `origin`.
    pub(crate) fn gateway(
        &mut self,
        name: &str,
        files: &[(&str, &[u8])],
        routes: &str,
    ) -> Result<Gateway> {
        self.gateway_to(name, files, "", routes)
    }

    /// The same with more services.
    pub(crate) fn gateway_to(
        &mut self,
        name: &str,
        files: &[(&str, &[u8])],
        services: &str,
        routes: &str,
    ) -> Result<Gateway> {
        let folder = self.folder.join(name);
        let plugins = folder.join("plugins");
        // What is left of another run is not this one's.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&plugins)?;
        for (name, bytes) in files {
            put(bytes, &plugins.join(format!("{name}.wasm")))?;
        }
        let (port, admin_port) = (self.ports.take()?, self.ports.take()?);
        let config = folder.join("portcullis.yaml");
        let ports = [port, admin_port];
        fs::write(&config, self.configuration(ports, services, routes))?;
        let mut command = std::process::Command::new(&self.gateway);
        command
            .args(["run", "--log", "warn", "--config"])
            .arg(config);
        let mut process = Process::start("gateway", &mut command, &folder)?;
        wait_until_ready(
            "the gateway",
            admin_port,
            "/ready",
            "",
            START_WITHIN,
            || look(&mut process, self.interrupted),
        )?;
        Ok(Gateway {
            port,
            plugins,
            admin_port,
            process,
        })
    }

    fn configuration(&self, [port, admin_port]: [u16; 2], services: &str, routes: &str) -> String {
        let (workers, origin_port) = (self.workers, self.origin_port);
        format!(
            "workers: {workers}\n\
             listeners: [{{ address: \"127.0.0.1:{port}\" }}]\n\
             admin: {{ address: \"127.0.0.1:{admin_port}\" }}\n\
             plugins: {{ directory: plugins }}\n\
             services:\n  origin: {{ instances: [{{ address: \"127.0.0.1:{origin_port}\" }}] }}\n  {services}\n\
             routes:\n{routes}"
        )
    }

    /// Another origin, started with these arguments, and its port.
    pub(crate) fn another_origin(
        &mut self,
        name: &str,
        arguments: &[&str],
    ) -> Result<(u16, Process)> {
        let port = self.ports.take()?;
        let mut command = std::process::Command::new(&self.load);
        command.args(["origin", "--address", &format!("127.0.0.1:{port}")]);
        command.args(arguments);
        let mut process = Process::start(name, &mut command, &self.folder)?;
        wait_until_ready("an origin", port, "/", "", START_WITHIN, || {
            look(&mut process, self.interrupted)
        })?;
        Ok((port, process))
    }

    /// Who sends requests.
    pub(crate) fn sender(&self) -> Sender<'a> {
        Sender::new(self.load.clone(), self.folder.clone(), self.interrupted)
    }

    /// An error if somebody wants us to stop.
    pub(crate) fn check(&self) -> Result<()> {
        interrupt::check(self.interrupted)
    }
}

fn origin(load: &Path, port: u16, body: usize, folder: &Path) -> Result<Process> {
    let mut command = std::process::Command::new(load);
    command.args(["origin", "--address", &format!("127.0.0.1:{port}")]);
    command.args(["--body", &body.to_string()]);
    Process::start("origin", &mut command, folder)
}

/// An error if there is no point in waiting for a process.
fn look(process: &mut Process, interrupted: &AtomicBool) -> Result<()> {
    interrupt::check(interrupted)?;
    match process.ended()? {
        Some(status) => bail!("{}", process.epitaph(status)),
        None => Ok(()),
    }
}

/// Puts a file in place in one step.
pub(crate) fn put(bytes: &[u8], to: &Path) -> Result<()> {
    let half = to.with_extension("part");
    let written = fs::write(&half, bytes).and_then(|()| fs::rename(&half, to));
    written.with_context(|| format!("cannot write {}", to.display()))
}

impl Gateway {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.process.ended()? {
            Some(status) => bail!("{}", self.process.epitaph(status)),
            None => Ok(()),
        }
    }

    /// The memory that it holds, and that it held at most, in MiB.
    pub(crate) fn memory(&self) -> (f64, f64) {
        usage::memory(&[self.process.pid()])
    }

    /// How many descriptors it has open besides connections to clients and
    /// instances, of which there are as many as requests came at once lately.
    pub(crate) fn own_descriptors(&self) -> usize {
        let connections = ["portcullis_connections", "portcullis_upstream_connections"];
        let connections = connections.map(|name| self.metric(name, "").unwrap_or_default());
        let open = connections.iter().sum::<f64>() as usize;
        self.descriptors().saturating_sub(open)
    }

    fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process.pid()));
        open.map_or(0, Iterator::count)
    }

    /// How its last reload ended, and which generation serves.
    pub(crate) fn configuration(&self) -> Option<Value> {
        let answer = probe::get(self.admin_port, "/api/v1/config", "")?;
        serde_json::from_str(&answer.body).ok()
    }

    /// The sum of all series of a metric that have this among their labels.
    pub(crate) fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let text = probe::get(self.admin_port, "/metrics", "")?.body;
        Some(sum(&text, name, label))
    }
}

fn sum(text: &str, name: &str, label: &str) -> f64 {
    let series = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        let mine = (labels.is_empty() || labels.starts_with('{')) && labels.contains(label);
        value.parse::<f64>().ok().filter(|_| mine)
    });
    // A sum of nothing would be -0.
    series.fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_are_added() {
        let text = "# HELP a_total x\na_total{b=\"1\",c=\"x\"} 2\na_total{b=\"1\"} 3\n\
            a_total{b=\"2\"} 5\na_total_more{b=\"1\"} 7\nd 11\n";
        assert_eq!(sum(text, "a_total", "b=\"1\""), 5.0);
        assert_eq!(sum(text, "a_total", ""), 10.0);
        assert_eq!(sum(text, "d", ""), 11.0);
        assert_eq!(sum(text, "e", ""), 0.0);
    }
}
