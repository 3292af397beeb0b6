//! From text to a checked [`Config`].
//!
//! Owns the configuration's shape in its three formats, its defaults and its
//! ranges, and the wording of every mistake. A file is read into one tree of
//! values with positions (`node`; `yaml`, `toml` and `json` make it), then
//! `${NAME}` is replaced (`interpolate`), then hand-written readers turn the
//! tree into the types of `model`. Readers never stop at a mistake: they note
//! it and go on, so that one run shows all of them. That is why this is not
//! derived: a derived reader gives up at the first error and knows no position.
//!
//! Refuses whatever is not understood in full: unknown keys, values out of
//! range, references to nothing. Knows nothing of what a plugin's own
//! configuration means; it hands that on with positions, so that whoever checks
//! it can say where.
//!
//! Called at start-up, by `check` and at every reload, never by a worker: it
//! reads a file and blocks.

mod address;
mod admin;
mod alike;
mod allow;
mod diagnostic;
mod duration;
mod host;
mod http2;
mod http_limits;
mod instance;
mod interpolate;
mod json;
mod limits;
mod listener;
mod load;
mod matching;
mod model;
mod name;
mod networks;
mod node;
mod origin;
mod pattern;
mod plugin_limits;
mod plugins;
mod position;
mod quarantine;
mod reader;
mod redact;
mod retries;
mod root;
mod route;
mod route_limits;
mod scalar;
mod service;
mod size;
mod step;
mod suggest;
mod tls;
mod toml;
mod upgrades;
mod yaml;

#[cfg(any(test, fuzzing))]
pub(crate) mod proof;
#[cfg(test)]
mod tests;

pub use allow::{Allow, Capability, Reach};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use http_limits::HttpLimits;
pub use http2::Http2Limits;
pub use listener::{ClientAuth, Listener, ListenerTls, TlsVersion};
pub use load::{Reading, load, parse, read};
pub use model::{
    Admin, CompileLimits, Config, HealthCheck, Instance, Isolation, Limits, Match, NamedPlugin,
    OnError, PluginConfig, PluginLimits, Plugins, QuarantinePolicy, Route, Service, Step,
};
pub use networks::Networks;
pub use origin::Origin;
pub use pattern::{BadPattern, PathPattern, Segment};
pub use plugin_limits::MOST_TABLE_ELEMENTS;
pub use plugins::CACHE_SIZE;
pub use position::Position;
pub use retries::{Backoff, Retries, RetryOn};
pub use route_limits::{BodyLimits, RouteLimits};
pub use tls::{KeyPair, NamedFile, Protocol, ServiceTls};
