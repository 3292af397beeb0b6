//! The compiler's side of [`compiler`](super::compiler): a process of its own
//! that limits itself, reads a component, writes machine code and ends.
//!
//! Nothing of a plugin runs here; what has to be contained is what a component
//! can make the compiler do.

use std::{
    fmt,
    io::{self, Read, Write},
    process::ExitCode,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasmtime::Engine;

use super::{
    cache::LARGEST_CODE, compiled::recognise, crossing::Counting, loader::LARGEST_FILE,
    runtime::settings,
};

/// What goes before the reason, where the component is to blame.
pub(super) const MALFORMED: &str = "malformed: ";

/// One compilation: what it may use, and for what engine it is.
#[derive(Debug, Clone)]
pub struct Confined {
    /// Bytes of memory that it can write to. Address space would be the simpler
    /// bound, of which threads and an allocator reserve much more than they use.
    pub memory: u64,
    /// Processor time, of all threads together; in whole seconds, at least one.
    pub processor_time: Duration,
    /// As `RuntimeOptions::counts_work`.
    pub counts_work: bool,
    /// As `RuntimeOptions::portable`.
    pub portable: bool,
}

impl Confined {
    /// Compiles standard input to standard output; what goes wrong is told on
    /// standard error. For a process that does nothing else: its limits are for
    /// the whole of it, and are there to stay.
    pub fn run(&self) -> ExitCode {
        match self.compile() {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("{reason}");
                ExitCode::FAILURE
            }
        }
    }

    fn compile(&self) -> Result<(), String> {
        self.limit()
            .map_err(|error| failed("limit itself", error))?;
        let mut bytes = Vec::new();
        io::stdin()
            .take(LARGEST_FILE as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| failed("read the component", error))?;
        let malformed = |reason: String| format!("{MALFORMED}{reason}");
        recognise(&bytes, LARGEST_FILE).map_err(|error| malformed(error.to_string()))?;
        let counting = Counting::of(self.counts_work);
        // Instances are made elsewhere, so there is no pool of memory for them.
        let engine = settings(counting, self.portable)
            .and_then(|settings| Engine::new(&settings))
            .map_err(|error| failed("start the engine", format!("{error:#}")))?;
        let code = engine
            .precompile_component(&bytes)
            .map_err(|error| malformed(format!("{error:#}")))?;
        let mut output = io::stdout().lock();
        output
            .write_all(&code)
            .and_then(|()| output.flush())
            .map_err(|error| failed("write the code", error))
    }

    fn limit(&self) -> io::Result<()> {
        let seconds = self.processor_time.as_secs().max(1);
        set(Resource::Data, self.memory, self.memory)?;
        set(Resource::Fsize, LARGEST_CODE, LARGEST_CODE)?;
        set(Resource::Core, 0, 0)?;
        // The soft one ends the process by a signal that says why.
        set(Resource::Cpu, seconds, seconds + 1)?;
        // Traffic goes first.
        nice(10)?;
        // Whoever asked waits for the answer; without him it is of no use.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    }
}

fn failed(what: &str, error: impl fmt::Display) -> String {
    format!("cannot {what}: {error}")
}

fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    Ok(setrlimit(resource, limit)?)
}
