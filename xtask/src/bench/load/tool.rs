//! Runs the load generator once, and reads what it prints. Used by `rounds`
//! and `measure`.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::AtomicBool,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{contender::TOKEN, results::Mode, site::Pinning};
use crate::{interrupt, process::Process, workspace};

/// How much longer than asked a load may run.
const EXTRA: Duration = Duration::from_secs(20);

/// The load generator.
pub(crate) struct Tool<'a> {
    pub(crate) program: PathBuf,
    pub(crate) pinning: Pinning,
    pub(crate) interrupted: &'a AtomicBool,
    pub(crate) load: Load,
}

/// What is the same in all measurements.
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) seconds: f64,
    pub(crate) rate: f64,
}

/// What the load generator counted; latencies in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    /// Responses that are not 2xx; they count as failed, too.
    pub(crate) non2xx: u64,
    pub(crate) non2xx_p99_us: f64,
    /// Responses whose stamp was not that of their request.
    pub(crate) mixed: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

impl Tool<'_> {
    /// Sends to a port for some seconds.
    ///
    /// # Errors
    ///
    /// If it cannot even connect, or somebody wants us to stop.
    pub(crate) fn run(&self, port: u16, mode: Mode, seconds: f64) -> Result<Counted> {
        let mut command = self.pinning.load(&self.program);
        command.arg(mode.name());
        command.args(["--url", &format!("http://127.0.0.1:{port}/")]);
        command.args(["--connections", &self.load.connections.to_string()]);
        command.args(["--seconds", &seconds.to_string()]);
        command.args(["-H", &format!("authorization: Bearer {TOKEN}")]);
        if mode == Mode::Open {
            command.args(["--rate", &self.load.rate.to_string()]);
        }
        let folder = workspace::target().join("bench-run");
        let mut process = Process::start("load", &mut command, &folder)?;
        let deadline = Instant::now() + Duration::from_secs_f64(seconds) + EXTRA;
        loop {
            interrupt::check(self.interrupted)?;
            match process.ended()? {
                Some(status) if status.success() => return Counted::read(&process),
                Some(status) => bail!("{}", process.epitaph(status)),
                None if Instant::now() > deadline => bail!("the load generator does not end"),
                None => sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Counted {
    /// What a generator printed that has ended.
    pub(crate) fn read(process: &Process) -> Result<Self> {
        let text = fs::read_to_string(process.log())?;
        Self::parse(&text).with_context(|| format!("the load generator printed {text:?}"))
    }

    fn parse(text: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(text).ok()?;
        let count = |key: &str| json[key].as_u64();
        let number = |key: &str| json[key].as_f64();
        Some(Self {
            done: count("done")?,
            failed: count("non2xx")? + count("errors")?,
            non2xx: count("non2xx")?,
            non2xx_p99_us: number("non2xx_p99_us")?,
            mixed: count("mixed")?,
            per_second: number("rps")?,
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            p999_us: number("p999_us")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_all_kinds_are_added() {
        let line = r#"{"done":9,"errors":2,"mixed":4,"non2xx":3,"non2xx_p99_us":2.5,"p50_us":1.5,"p999_us":4,"p99_us":3.0,"rps":7.5}"#;
        let counted = Counted::parse(line).unwrap();
        assert_eq!((counted.done, counted.failed, counted.mixed), (9, 5, 4));
        assert_eq!((counted.non2xx, counted.non2xx_p99_us), (3, 2.5));
        assert_eq!(counted.p999_us, 4.0);
        assert!(Counted::parse("{}").is_none());
    }
}
