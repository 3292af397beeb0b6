//! Who compiles plugins, and within what bounds.
//!
//! A small component can make a compiler take minutes and gigabytes, and a
//! thread cannot be stopped; a process can. So a gateway starts its own program
//! for each compilation, which limits itself ([`confined`](super::confined)),
//! one at a time, and ends it when its time is over. What comes back is machine
//! code that this process will run: it is trusted as this program is.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, Scope},
    time::{Duration, Instant},
};

use crate::config::CompileLimits;

use super::{confined::MALFORMED, crossing::Counting};

/// What is kept of what a compiler says, in bytes.
const LONGEST_REASON: u64 = 4 << 10;

/// For how long a component that was too much is not tried again. Every reload
/// looks at every file, and each try may take the whole of the time limit.
const REST: Duration = Duration::from_secs(600);

/// Refused components that are remembered.
const REFUSALS: usize = 256;

/// Who turns components into machine code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// This process, on the thread that loads. Nothing bounds its time and
    /// memory: for tests, benchmarks and embedding, where files are trusted.
    #[default]
    Here,
    /// A process of its own for each: this program, called as
    /// `PROGRAM plugin compile`, which is what `portcullis` does.
    Program(PathBuf),
}

/// Why a component was not compiled, although it may be well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The time limit.
    #[error("compiling it takes longer than {} (`plugins.compile.timeout`)", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The memory limit.
    #[error("compiling it takes more than {} MiB (`plugins.compile.memory`)", .0 >> 20)]
    Memory(u64),
    /// The compiler broke down, and said this.
    #[error("the compiler broke down: {0}")]
    Broken(String),
    /// The component is wrong, and why.
    #[error("{0}")]
    Malformed(String),
    /// The compiler could not be started or talked to.
    #[error("the compiler cannot be run: {0}")]
    Unavailable(String),
}

/// Compiles in a process of its own, one component after another.
pub(super) struct Workshop {
    program: PathBuf,
    limits: CompileLimits,
    counting: Counting,
    portable: bool,
    busy: Mutex<()>,
    refusals: Mutex<Vec<(String, Instant, CompileError)>>,
}

impl Workshop {
    pub(super) fn new(
        program: &Path,
        limits: CompileLimits,
        counting: Counting,
        portable: bool,
    ) -> Self {
        Self {
            program: program.to_owned(),
            limits,
            counting,
            portable,
            busy: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Compiles a component of this hash into a file. Blocks until it is done
    /// or the time is over.
    pub(super) fn compile(
        &self,
        hash: &str,
        bytes: &[u8],
        into: &File,
    ) -> Result<(), CompileError> {
        let _one_at_a_time = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refused) = self.refusal(hash) {
            return Err(refused);
        }
        let compiled = self.compile_now(bytes, into);
        if let Err(error) = &compiled {
            self.remember(hash, error);
        }
        compiled
    }

    fn compile_now(&self, bytes: &[u8], into: &File) -> Result<(), CompileError> {
        let unavailable = |error: io::Error| CompileError::Unavailable(error.to_string());
        let deadline = Instant::now() + self.limits.timeout;
        let mut child = self.start(into).map_err(unavailable)?;
        let said = thread::scope(|scope| {
            let said = child.converse(scope, bytes)?;
            let left = deadline.saturating_duration_since(Instant::now());
            let said = said.recv_timeout(left);
            // It closed what it talks through, so it has ended; or its time is over,
            // and the threads that talk to it have to end.
            if said.is_err() {
                child.0.kill()?;
            }
            Ok(said.ok())
        });
        let said = said.map_err(unavailable)?;
        let status = child.0.wait().map_err(unavailable)?;
        match said {
            None => Err(CompileError::Timeout(self.limits.timeout)),
            Some(said) => self.judge(status, &said),
        }
    }

    fn start(&self, into: &File) -> io::Result<Started> {
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let seconds = self.limits.timeout.as_secs() + 1;
        let mut command = Command::new(&self.program);
        command
            .arg0("portcullis")
            .args(["--log", "error", "plugin", "compile"])
            .arg(format!("--memory={}", self.limits.memory))
            .arg(format!("--seconds={}", seconds.saturating_mul(cores)))
            // The gateway's environment may hold secrets.
            .env_clear()
            // In small steps, or its own reserve would use up the limit.
            .envs([
                ("MIMALLOC_ARENA_RESERVE", "64MiB"),
                ("MIMALLOC_ARENA_EAGER_COMMIT", "0"),
            ])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(into.try_clone()?)
            .stderr(Stdio::piped());
        if self.counting == Counting::On {
            command.arg("--counts-work");
        }
        if self.portable {
            command.arg("--portable");
        }
        command.spawn().map(Started)
    }

    fn judge(&self, status: ExitStatus, said: &str) -> Result<(), CompileError> {
        /// Processor time is up.
        const SIGXCPU: i32 = 24;
        let said = said.trim();
        if status.success() {
            return Ok(());
        }
        if let (Some(1), Some(reason)) = (status.code(), said.strip_prefix(MALFORMED)) {
            return Err(CompileError::Malformed(reason.to_owned()));
        }
        if status.signal() == Some(SIGXCPU) {
            return Err(CompileError::Timeout(self.limits.timeout));
        }
        // What the standard library says before it gives up.
        if said.contains("memory allocation of") {
            return Err(CompileError::Memory(self.limits.memory));
        }
        let said = said.lines().find(|line| !line.trim().is_empty());
        let said = said.map_or(String::new(), |line| format!(": {}", line.trim()));
        Err(CompileError::Broken(format!("{status}{said}")))
    }

    fn refusal(&self, hash: &str) -> Option<CompileError> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, at, error) = refusals.iter().find(|(of, ..)| of == hash)?;
        (at.elapsed() < REST).then(|| error.clone())
    }

    fn remember(&self, hash: &str, error: &CompileError) {
        // What is malformed is found out fast; what is not there may come back.
        if let CompileError::Malformed(_) | CompileError::Unavailable(_) = error {
            return;
        }
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.retain(|(of, at, _)| of != hash && at.elapsed() < REST);
        if refusals.len() == REFUSALS {
            refusals.remove(0);
        }
        refusals.push((hash.to_owned(), Instant::now(), error.clone()));
    }
}

/// A compiler at work. Ended and waited for when dropped, so that none is left
/// behind whatever goes wrong here.
struct Started(Child);

impl Started {
    /// Hands over the component, and listens until everything is said. Nothing
    /// comes before the process has ended, but for what ends it.
    fn converse<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        bytes: &'scope [u8],
    ) -> io::Result<mpsc::Receiver<String>> {
        let (mut input, output) = match (self.0.stdin.take(), self.0.stderr.take()) {
            (Some(input), Some(output)) => (input, output),
            _ => return Err(io::ErrorKind::BrokenPipe.into()),
        };
        let thread = || thread::Builder::new().name("compiler".into());
        // One that ends before it has read everything says why by itself.
        let listening = thread().spawn_scoped(scope, move || drop(input.write_all(bytes)));
        let (say, hear) = mpsc::channel();
        let talking = thread().spawn_scoped(scope, move || drop(say.send(listen(output))));
        if let Err(error) = listening.and(talking) {
            self.0.kill()?;
            return Err(error);
        }
        Ok(hear)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail where it was waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The beginning of what is said; reads to the end, so that nobody is held up.
fn listen(mut output: impl Read) -> String {
    let mut said = Vec::new();
    let _ = output.by_ref().take(LONGEST_REASON).read_to_end(&mut said);
    let _ = io::copy(&mut output, &mut io::sink());
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests;
