//! A child process with a log and a pid file, stopped when dropped. Used by
//! `demo`, `bench` and `soak`.
//!
//! Each runs in a process group of its own, so that Ctrl-C reaches only us and
//! the order in which they stop is ours. They are ended by pid, never by name.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// How long a process may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// A process that was started, and may have ended since.
pub(crate) struct Process {
    name: String,
    folder: PathBuf,
    child: Child,
    running: bool,
}

impl Process {
    /// Starts a process. Its log and its pid file are `NAME.log` and `NAME.pid`
    /// in the folder.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let log = File::create(folder.join(format!("{name}.log")))?;
        let command = command.stdin(Stdio::null()).process_group(0);
        let command = command.stdout(log.try_clone()?).stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let process = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            child,
            running: true,
        };
        fs::write(process.file("pid"), format!("{}\n", process.pid()))?;
        Ok(process)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that its output goes to.
    pub(crate) fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.forget();
        }
        Ok(status)
    }

    /// Who ended, how, and its last words.
    pub(crate) fn epitaph(&self, status: ExitStatus) -> String {
        let path = self.log();
        let log = fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(10)..].join("\n  | ");
        let (name, log) = (&self.name, path.display());
        match last.is_empty() {
            true => format!("{name} ended ({status}); {log} is empty"),
            false => format!("{name} ended ({status}); the end of {log}:\n  | {last}"),
        }
    }

    /// Asks it to stop, and waits; kills it if it does not.
    pub(crate) fn stop(&mut self) {
        if !self.is_running() {
            return;
        }
        terminate(self.pid());
        let deadline = Instant::now() + STOP_WITHIN;
        while self.is_running() {
            if Instant::now() > deadline {
                println!("{} does not stop; killing it", self.name);
                let _ = self.child.kill();
                let _ = self.child.wait();
                return self.forget();
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn is_running(&mut self) -> bool {
        self.running && matches!(self.ended(), Ok(None))
    }

    /// Removes the pid file once, and not that of a successor of the same name.
    fn forget(&mut self) {
        if std::mem::take(&mut self.running) {
            let _ = fs::remove_file(self.file("pid"));
        }
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends SIGTERM. The standard library can only kill, so this is the shell's.
fn terminate(pid: u32) {
    let kill = format!("kill -TERM {pid}");
    let _ = Command::new("sh").args(["-c", &kill]).status();
}
