//! Plugins on Wasmtime: compiled, checked, linked to what they are granted,
//! and called; the only module that knows Wasmtime.
//!
//! Four things with four lifetimes, each made from the one before:
//!
//! - [`Runtime`], once per process: the engine, the clock of deadlines, the
//!   cache of compiled code.
//! - [`Plugin`], once per content of a `NAME.wasm`: compiled, its exports and
//!   imports checked, its own description read.
//! - [`Configured`], once per use in a configuration: plugin, configuration
//!   text, limits, grants, namespace. A template that makes instances.
//! - [`Instance`], once per worker (or per request): one store with its own
//!   memory. Called by `pipeline`, synchronously, on its worker.
//!
//! Reading order: `runtime`, `compiled` (what a component is accepted as),
//! `loaded`, `configured`, `instance` (the hot path), `data` (what a store
//! holds), then `host`, one file per interface that plugins import. `ticker`
//! keeps deadlines, `limiter` memory, `allowance` every other limit, `cache`
//! compiled code; `compiler` has it made in a process of its own (`confined`);
//! `description` is what a file says of itself; `failure` says what became of a
//! call, `quarantine` whether there shall be another. `schema`, `loader`
//! and `watcher` stand beside: configuration against a plugin's schema, the
//! plugin directory, and changes of it.
//!
//! Refuses what is not granted, not a component, or asks the gateway for what
//! a client could not ask either. Whatever a plugin does ends as a
//! [`PluginError`] of that one call; it cannot stop or stall the caller.

mod allowance;
mod background;
mod cache;
mod capability;
mod compiled;
mod compiler;
mod configured;
mod confined;
mod crossing;
mod data;
mod deadline;
mod description;
mod embed;
mod error;
mod exports;
mod failure;
mod faults;
mod host;
mod instance;
mod lanes;
mod limiter;
mod line;
mod link;
mod linker;
mod loaded;
mod loader;
mod log_budget;
mod names;
mod pace;
mod quarantine;
mod runtime;
pub mod schema;
mod services;
mod tempo;
#[cfg(test)]
pub(crate) mod tests;
mod ticker;
mod waiting;
mod watcher;
mod wit;

pub use crate::config::Capability;
pub use allowance::{Kept, Room};
pub use compiler::{CompileError, Compiler};
pub use configured::{Configured, ConfiguredOptions};
pub use confined::Confined;
pub use crossing::Work;
pub use description::{DescribedBy, Description};
pub use embed::describe;
pub use error::{ConfigureError, LoadError, PluginError, PluginErrorKind, RuntimeError};
pub use exports::{Hooks, Reads};
pub use faults::Faults;
pub use instance::{ChunkVerdict, Instance, Verdict};
pub use lanes::Lanes;
pub use line::{Full, Line};
pub use loaded::Plugin;
pub use loader::{Directory, LARGEST_FILE, ReadError, read};
pub use names::Names;
pub use quarantine::{Admission, Probe, Quarantine, QuarantineFigures, Refused};
pub use runtime::{Runtime, RuntimeOptions};
pub use services::HostServices;
pub use tempo::Tempo;
pub use watcher::{Changes, watch};
