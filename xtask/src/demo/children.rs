//! The processes of the demo: started, watched, started again if they were
//! killed, and stopped whatever happens. Used by `start`.

use std::{
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::process::Process;

/// How long a killed service stays away, so that its absence can be watched.
const AWAY: Duration = Duration::from_secs(10);

/// What is to be started.
pub(crate) struct Role {
    /// Its name, for messages, the log and the pid file.
    pub(crate) name: &'static str,
    /// How it is started.
    pub(crate) command: Command,
    /// Whether the demo is over without it.
    pub(crate) vital: bool,
}

/// All processes; stopped when dropped.
pub(crate) struct Children {
    folder: PathBuf,
    members: Vec<Member>,
}

struct Member {
    role: Role,
    process: Process,
    ended: Option<Instant>,
}

impl Children {
    /// None yet. Logs and pid files go to the folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            members: Vec::new(),
        }
    }

    /// Starts one more.
    pub(crate) fn start(&mut self, mut role: Role) -> Result<()> {
        let process = Process::start(role.name, &mut role.command, &self.folder)?;
        self.members.push(Member {
            role,
            process,
            ended: None,
        });
        Ok(())
    }

    /// Looks after all: an error if the demo cannot go on without one that
    /// ended. A service that was killed comes back after [`AWAY`]; one that gave
    /// up by itself would do so again.
    pub(crate) fn tend(&mut self) -> Result<()> {
        for member in &mut self.members {
            match member.ended {
                None => member.note_end()?,
                Some(ended) if ended.elapsed() >= AWAY => member.restart(&self.folder)?,
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl Drop for Children {
    /// The gateway goes first, while all that it talks to is still there.
    fn drop(&mut self) {
        for member in self.members.iter_mut().rev() {
            member.process.stop();
        }
    }
}

impl Member {
    fn note_end(&mut self) -> Result<()> {
        let Some(status) = self.process.ended()? else {
            return Ok(());
        };
        self.ended = Some(Instant::now());
        let epitaph = self.process.epitaph(status);
        if self.role.vital || status.signal().is_none() {
            bail!("{epitaph}");
        }
        let seconds = AWAY.as_secs();
        println!(
            "{epitaph}\n  the demo goes on; {} is started again in {seconds} s",
            self.role.name
        );
        Ok(())
    }

    fn restart(&mut self, folder: &Path) -> Result<()> {
        self.process = Process::start(self.role.name, &mut self.role.command, folder)?;
        self.ended = None;
        println!("{} is started again", self.role.name);
        Ok(())
    }
}
