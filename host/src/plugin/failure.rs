//! What became of a call that did not return: a trap, a deadline, a panic, told
//! for people.

use std::{
    any::Any,
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
};

use wasmtime::{Store, Trap, WasmBacktrace};

use crate::observe::Limit;

use super::{
    PluginError, PluginErrorKind as Kind,
    data::{Data, Hook},
};

/// The longest name of a function that a backtrace shows, in bytes.
const LONGEST_NAME: usize = 200;

/// A call that did not return.
pub(super) enum Failure {
    Error(wasmtime::Error),
    Panic(Box<dyn Any + Send>),
}

#[inline]
pub(super) fn flatten<T>(
    result: Result<wasmtime::Result<T>, Box<dyn Any + Send>>,
) -> Result<T, Failure> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Error(error)),
        Err(panic) => Err(Failure::Panic(panic)),
    }
}

impl Failure {
    #[cold]
    pub(super) fn explain(self, store: &mut Store<Data>) -> PluginError {
        let data = store.data_mut();
        let said = data.finish_output();
        let (kind, mut message) = match &self {
            Self::Panic(panic) => (
                Kind::Trap,
                format!("a host function panicked: {}", text(panic)),
            ),
            Self::Error(error) => explain(error, data),
        };
        if let (Kind::Trap | Kind::Memory, Some(said)) = (kind, said) {
            message = format!("{message}; it said last: {said}");
        }
        if kind != Kind::Busy {
            data.services.metrics.plugins().trapped(&data.identity.name);
        }
        let mut explained = data.identity.error(kind, message);
        explained.backtrace = self.backtrace(kind, data);
        explained
    }

    /// Where the plugin was, the first time that it fails in this way. Not of
    /// `configure`: whoever gave the configuration is told, not the log.
    fn backtrace(&self, kind: Kind, data: &Data) -> Option<Box<str>> {
        let Self::Error(error) = self else {
            return None;
        };
        let backtrace = error.downcast_ref::<WasmBacktrace>()?;
        let configures = data.hook == Hook::Configuration;
        if configures || kind == Kind::Busy || backtrace.frames().is_empty() {
            return None;
        }
        let faults = &data.services.faults;
        faults
            .is_new(&data.identity.hash, fingerprint(kind, backtrace))
            .then(|| shown(backtrace).into())
    }
}

/// What makes two failures the same: their kind, and where they were. A loop is
/// stopped anywhere in its function.
fn fingerprint(kind: Kind, backtrace: &WasmBacktrace) -> u64 {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    for frame in backtrace.frames() {
        frame.func_index().hash(&mut hasher);
        if kind == Kind::Trap {
            frame.func_offset().hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// One line for each frame, the innermost first. Names are the plugin's own
/// words, so they are cut and escaped.
fn shown(backtrace: &WasmBacktrace) -> String {
    let mut text = String::from("its backtrace, once for each way to fail:");
    for (number, frame) in backtrace.frames().iter().enumerate() {
        let name = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        let end = name.floor_char_boundary(LONGEST_NAME);
        let name = name[..end].escape_debug();
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {number:2}: {name}");
    }
    text
}

fn explain(error: &wasmtime::Error, data: &mut Data) -> (Kind, String) {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        data.allowance.limited(Limit::Instances);
        return (
            Kind::Busy,
            format!("there is no place for one more instance: {error}"),
        );
    }
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        let limits = data.overdue();
        let message = format!(
            "took longer than it may ({:?} a call, {:?} to start)",
            limits.call_timeout, limits.start_timeout
        );
        return (Kind::Deadline, message);
    }
    let reason = error.root_cause();
    if data.limiter.refused() {
        let limit = data.limiter.memory();
        return (
            Kind::Memory,
            format!("wants more than its {limit} bytes of memory: {reason}"),
        );
    }
    (Kind::Trap, format!("trapped: {reason}"))
}

fn text(panic: &Box<dyn Any + Send>) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
