//! Starts the origin and everybody who takes part, and leaves out whoever does
//! not do what it should, with the reason. Used by `run`.

use std::{path::PathBuf, sync::atomic::AtomicBool, time::Duration};

use anyhow::{Result, bail};

use super::{
    Arguments,
    build::Built,
    contender::{Absent, Contender},
    echo,
    results::{Row, Sample},
    site::{Pinning, Ports, Site},
};
use crate::{
    bench::machine::output, interrupt, probe::wait_until_ready, process::Process, workspace,
};

/// How long somebody may take to start: plugins are compiled in it.
const START_WITHIN: Duration = Duration::from_secs(120);

/// Everybody who takes part; stopped when dropped.
pub(crate) struct Field {
    pub(crate) origin: Process,
    pub(crate) runners: Vec<Runner>,
    pub(crate) left_out: Vec<Absent>,
    pub(crate) pinning: Pinning,
}

/// A contender that runs, and what was measured of it.
pub(crate) struct Runner {
    pub(crate) contender: Contender,
    pub(crate) port: u16,
    pub(crate) process: Process,
    pub(crate) samples: Vec<Sample>,
    /// How it ended, if it did not stay to the end.
    pub(crate) epitaph: Option<String>,
}

impl Runner {
    /// Stops it; what was measured stays.
    pub(crate) fn stop(self) -> Row {
        Row {
            contender: self.contender,
            samples: self.samples,
            epitaph: self.epitaph,
        }
    }
}

/// What is the same for everybody.
struct Ground<'a> {
    arguments: &'a Arguments,
    built: &'a Built,
    interrupted: &'a AtomicBool,
    folder: PathBuf,
    origin_ports: [u16; 2],
    user: String,
    pinning: Pinning,
}

/// Starts all.
pub(crate) fn all(
    contenders: Vec<Contender>,
    arguments: &Arguments,
    built: &Built,
    interrupted: &AtomicBool,
) -> Result<Field> {
    let mut ports = Ports::new();
    let ground = Ground {
        arguments,
        built,
        interrupted,
        folder: std::path::absolute(workspace::target().join("bench-run"))?,
        origin_ports: [ports.take()?, ports.take()?],
        user: output("id", &["-un"]),
        pinning: Pinning::possible(arguments.workers),
    };
    let mut field = Field {
        origin: ground.origin()?,
        runners: Vec::new(),
        left_out: Vec::new(),
        pinning: ground.pinning,
    };
    for contender in contenders {
        println!("starting {}", contender.id);
        let (id, ports) = (contender.id.clone(), [ports.take()?, ports.take()?]);
        let started = ground.start(contender, ports);
        interrupt::check(interrupted)?;
        match started {
            Ok(runner) => field.runners.push(runner),
            Err(error) => field.left_out.push(Absent {
                id,
                reason: format!("{error:#}"),
            }),
        }
    }
    if field.runners.is_empty() {
        bail!("nobody takes part: {}", reasons(&field.left_out));
    }
    Ok(field)
}

fn reasons(left_out: &[Absent]) -> String {
    let reasons = left_out.iter();
    let reasons: Vec<_> = reasons
        .map(|absent| format!("{}: {}", absent.id, absent.reason))
        .collect();
    reasons.join("\n  ")
}

impl Ground<'_> {
    fn origin(&self) -> Result<Process> {
        let mut command = self.pinning.load(&self.built.load);
        command.args(["origin", "--body", &self.arguments.body.to_string()]);
        command.args(["--threads", &self.arguments.workers.to_string()]);
        for port in self.origin_ports {
            command.args(["--address", &format!("127.0.0.1:{port}")]);
        }
        let mut origin = Process::start("origin", &mut command, &self.folder)?;
        let port = self.origin_ports[0];
        wait_until_ready("the origin", port, "/", "", START_WITHIN, || {
            self.look(&mut origin)
        })?;
        Ok(origin)
    }

    fn start(&self, contender: Contender, [port, admin_port]: [u16; 2]) -> Result<Runner> {
        let folder = self.folder.join(&contender.id);
        let site = Site {
            folder: folder.clone(),
            port,
            admin_port,
            origin_ports: self.origin_ports,
            workers: self.arguments.workers,
            plugins: &self.built.plugins,
            user: &self.user,
        };
        site.furnish(&contender)?;
        let mut command = site.command(&contender, self.pinning);
        let mut process = Process::start(&contender.id, &mut command, &folder)?;
        echo::wait_until_answering(port, START_WITHIN, || self.look(&mut process))?;
        echo::check(port, contender.proof)?;
        Ok(Runner {
            contender,
            port,
            process,
            samples: Vec::new(),
            epitaph: None,
        })
    }

    /// An error if there is no point in waiting for a process.
    fn look(&self, process: &mut Process) -> Result<()> {
        interrupt::check(self.interrupted)?;
        match process.ended()? {
            Some(status) => bail!("{}", process.epitaph(status)),
            None => Ok(()),
        }
    }
}
