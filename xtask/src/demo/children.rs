//! The processes of the demo: started with a log and a pid file each, watched,
//! and stopped whatever happens. Used by `start`.
//!
//! They run in process groups of their own, so that Ctrl-C reaches only us and
//! they are stopped in order. They are ended by pid, never by name.

use std::{
    fs::{self, File},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long the gateway and the services may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);
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
    process: Child,
    ended: Option<Instant>,
}

impl Children {
    /// None yet. Logs and pid files go to the folder.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            members: Vec::new(),
        })
    }

    /// Starts one more.
    pub(crate) fn start(&mut self, mut role: Role) -> Result<()> {
        let process = launch(&self.folder, &mut role)?;
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
                None => member.note_end(&self.folder)?,
                Some(ended) if ended.elapsed() >= AWAY => member.restart(&self.folder)?,
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Asks all to stop, the gateway first, and waits; whoever does not is killed.
    pub(crate) fn stop(&mut self) {
        for member in self.members.iter_mut().rev() {
            member.stop();
            let _ = fs::remove_file(pid_file(&self.folder, member.role.name));
        }
        self.members.clear();
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Member {
    fn note_end(&mut self, folder: &Path) -> Result<()> {
        let Some(status) = self.process.try_wait()? else {
            return Ok(());
        };
        self.ended = Some(Instant::now());
        let epitaph = epitaph(folder, self.role.name, status);
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
        self.process = launch(folder, &mut self.role)?;
        self.ended = None;
        println!("{} is started again", self.role.name);
        Ok(())
    }

    fn stop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        terminate(self.process.id());
        let deadline = Instant::now() + STOP_WITHIN;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                println!("{} does not stop; killing it", self.role.name);
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

fn launch(folder: &Path, role: &mut Role) -> Result<Child> {
    let log = File::create(log_file(folder, role.name))?;
    let command = role.command.stdin(Stdio::null()).process_group(0);
    let command = command.stdout(log.try_clone()?).stderr(log);
    let process = command
        .spawn()
        .with_context(|| format!("cannot start {}", role.name))?;
    fs::write(pid_file(folder, role.name), format!("{}\n", process.id()))?;
    Ok(process)
}

/// Sends SIGTERM. The standard library can only kill, so this is the shell's.
fn terminate(pid: u32) {
    let kill = format!("kill -TERM {pid}");
    let _ = Command::new("sh").args(["-c", &kill]).status();
}

/// Who ended, how, and its last words.
fn epitaph(folder: &Path, name: &str, status: ExitStatus) -> String {
    let path = log_file(folder, name);
    let log = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(10)..].join("\n  | ");
    format!(
        "{name} ended ({status}); the end of {}:\n  | {last}",
        path.display()
    )
}

fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

fn pid_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pid"))
}
