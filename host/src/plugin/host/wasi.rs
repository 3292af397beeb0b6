//! WASI's command-line interfaces: no arguments, no environment, a closed
//! standard input, and an output that is the gateway's log.
//!
//! wasmtime-wasi defines the interfaces; their behaviour is ours, since its
//! own may wait, and a worker never waits for a plugin.

use wasmtime::{
    Result, bail,
    component::{HasData, Resource},
};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream,
    bindings::cli::{
        environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
        terminal_stdin, terminal_stdout,
    },
};

use super::{
    super::{crossing::Counting, data::Data, linker::Linker},
    output::Stream,
    wasi_io,
};

/// What WASI's functions work on.
pub(super) struct View<'a>(pub(super) &'a mut Data);

/// Names the view for wasmtime's generated code.
pub(super) struct Wasi;

impl HasData for Wasi {
    type Data<'a> = View<'a>;
}

/// Gives WASI's functions the view of the store that calls.
pub(super) type Viewer = fn(&mut Data) -> View<'_>;

/// How WASI's functions get their view: once for every call, which is where
/// these calls are counted if they are.
pub(super) fn viewer(counting: Counting) -> Viewer {
    match counting {
        Counting::Off => |data| View(data),
        Counting::On => |data| {
            data.work.host_calls += 1;
            View(data)
        },
    }
}

/// Defines what every plugin gets.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    wasi_io::link(linker)?;
    let view = viewer(linker.counting);
    let linker = &mut linker.inner;
    environment::add_to_linker::<Data, Wasi>(linker, view)?;
    exit::add_to_linker::<Data, Wasi>(linker, view)?;
    stdin::add_to_linker::<Data, Wasi>(linker, view)?;
    stdout::add_to_linker::<Data, Wasi>(linker, view)?;
    stderr::add_to_linker::<Data, Wasi>(linker, view)?;
    terminal_input::add_to_linker::<Data, Wasi>(linker, view)?;
    terminal_output::add_to_linker::<Data, Wasi>(linker, view)?;
    terminal_stdin::add_to_linker::<Data, Wasi>(linker, view)?;
    terminal_stdout::add_to_linker::<Data, Wasi>(linker, view)?;
    terminal_stderr::add_to_linker::<Data, Wasi>(linker, view)
}

impl environment::Host for View<'_> {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl exit::Host for View<'_> {
    fn exit(&mut self, _status: Result<(), ()>) -> Result<()> {
        bail!("it called exit, which is not for a plugin to do")
    }

    fn exit_with_code(&mut self, code: u8) -> Result<()> {
        bail!("it called exit({code}), which is not for a plugin to do")
    }
}

impl stdin::Host for View<'_> {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        wasi_io::closed_input(self.0)
    }
}

impl stdout::Host for View<'_> {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        wasi_io::output(self.0, Stream::Output)
    }
}

impl stderr::Host for View<'_> {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        wasi_io::output(self.0, Stream::Error)
    }
}

impl terminal_input::Host for View<'_> {}

impl terminal_input::HostTerminalInput for View<'_> {
    fn drop(&mut self, _: Resource<terminal_input::TerminalInput>) -> Result<()> {
        Ok(())
    }
}

impl terminal_output::Host for View<'_> {}

impl terminal_output::HostTerminalOutput for View<'_> {
    fn drop(&mut self, _: Resource<terminal_output::TerminalOutput>) -> Result<()> {
        Ok(())
    }
}

impl terminal_stdin::Host for View<'_> {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for View<'_> {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for View<'_> {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
