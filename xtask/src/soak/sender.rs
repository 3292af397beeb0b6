//! Runs load generators, several at once.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::AtomicBool,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{bench::load::tool::Counted, interrupt, process::Process};

/// How much longer than asked a load may run.
const EXTRA: Duration = Duration::from_secs(20);

/// Starts load generators.
pub(crate) struct Sender<'a> {
    program: PathBuf,
    folder: PathBuf,
    interrupted: &'a AtomicBool,
}

/// One load.
pub(crate) struct Load<'a> {
    pub(crate) port: u16,
    pub(crate) path: &'a str,
    /// Requests per second; none: each connection sends one after the other.
    pub(crate) rate: Option<f64>,
    pub(crate) connections: u32,
    pub(crate) seconds: f64,
    /// The header by which request and response are held against each other.
    pub(crate) stamp: Option<&'a str>,
}

/// A load that runs.
pub(crate) struct Sending {
    process: Process,
    pub(crate) since: Instant,
    deadline: Instant,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(program: PathBuf, folder: PathBuf, interrupted: &'a AtomicBool) -> Self {
        Self {
            program,
            folder,
            interrupted,
        }
    }

    /// Starts one. Its name is that of its log.
    pub(crate) fn start(&self, name: &str, load: &Load<'_>) -> Result<Sending> {
        let mut command = Command::new(&self.program);
        match load.rate {
            Some(rate) => command.args(["open", "--rate", &rate.to_string()]),
            None => command.arg("closed"),
        };
        let url = format!("http://127.0.0.1:{}{}", load.port, load.path);
        command.args(["--url", &url]);
        command.args(["--connections", &load.connections.to_string()]);
        command.args(["--seconds", &load.seconds.to_string()]);
        if let Some(stamp) = load.stamp {
            command.args(["--stamp", stamp]);
        }
        let since = Instant::now();
        Ok(Sending {
            process: Process::start(name, &mut command, &self.folder)?,
            since,
            deadline: since + Duration::from_secs_f64(load.seconds) + EXTRA,
        })
    }

    /// Waits until one has ended.
    pub(crate) fn finish(&self, mut sending: Sending) -> Result<Counted> {
        loop {
            interrupt::check(self.interrupted)?;
            match sending.process.ended()? {
                Some(status) if status.success() => return Counted::read(&sending.process),
                Some(status) => bail!("{}", sending.process.epitaph(status)),
                None if Instant::now() > sending.deadline => {
                    bail!("the load generator does not end")
                }
                None => sleep(Duration::from_millis(20)),
            }
        }
    }
}
