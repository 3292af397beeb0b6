//! Write a filter or a balancer for the Portcullis gateway in a dozen lines.
//!
//! A plugin is a type with functions that bear the names of hooks. What is not
//! there is not exported and costs nothing:
//!
//! | function | called |
//! |---|---|
//! | `fn configure(config: Config) -> Result<Self>` | once per instance, first; without it, `Default` makes the instance |
//! | `async fn on_start(&mut self) -> Result<()>` | once per configuration, before the first request |
//! | `fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict>` | per request, before an instance is picked |
//! | `fn on_request_body(&mut self, exchange: &mut Exchange, state: &mut State, chunk: &mut Chunk) -> Result<ChunkVerdict>` | per [`Chunk`] of a request's body; `state`, which may be left out, is one of its body's own |
//! | `fn on_request_buffered(&mut self, exchange: &mut Exchange, body: &mut Body) -> Result<Verdict>` | per request with a body, once all of the [`Body`] is there |
//! | `fn on_response(…)`, `on_response_body(…)`, `on_response_buffered(…)` | the same for responses, before any of it is sent |
//! | `fn on_completion(&mut self, exchange: &mut Exchange, outcome: &Outcome)` | at the end of every exchange |
//! | `async fn on_tick(&mut self) -> Result<()>` | again and again in the background, on one instance |
//! | `fn instances_changed(&mut self, instances: Vec<Instance>)` | balancers: before the first pick and on changes |
//! | `fn pick(&mut self, exchange: &mut Exchange, attempt: u32) -> Option<u32>` | balancers: per try |
//!
//! `on_start`, `on_tick`, `on_request`, `on_response` and the buffered hooks may each be
//! an `async fn`, which can ask others ([`http`]), or a plain one.
//!
//! ```
//! use portcullis_sdk::prelude::*;
//!
//! #[config]
//! struct Config {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! struct Hello {
//!     name: String,
//! }
//!
//! #[plugin(summary = "Greets every response", config = Config)]
//! impl Hello {
//!     fn configure(config: Config) -> Result<Self> {
//!         Ok(Self { name: config.name })
//!     }
//!
//!     fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
//!         exchange.set_response_header("x-hello", &self.name)?;
//!         Ok(Verdict::Next)
//!     }
//! }
//! # fn main() {
//! use portcullis_sdk::testing::*;
//!
//! let gateway = Gateway::new();
//! let mut hello: Hello = gateway.configure(json!({ "name": "you" })).unwrap();
//! let exchange = gateway.exchange(Request::get("/"));
//! exchange.respond_from_upstream(200, [("content-type", "text/plain")]);
//! assert!(matches!(exchange.run_response(&mut hello), Reply::Next));
//! assert_eq!(exchange.response_header("x-hello").as_deref(), Some("you"));
//! # }
//! ```
//!
//! Build it with `cargo build --profile plugin --target wasm32-wasip2`, crate
//! type `cdylib`. [`mod@testing`] is a gateway for plain `cargo test`.
//!
//! The rest of the gateway is in modules of free functions, which are real
//! calls of the gateway within a component and go to the fake one elsewhere:
//! [`counters`], [`store`], [`discovery`], [`balancing`], [`crypto`], [`log`],
//! [`metrics`], [`http`], [`clock`], [`random`]; and [`hooks`] says what need not be called. [`mod@config`] has types that many
//! configurations need, [`cookie`] and [`query`] read what their names say, and [`body`] has what makes one body of another.
//!
//! A plugin imports what it calls and nothing else, and a step's `allow` can
//! withhold it; `store`, `discovery` and `http` it has to grant. What a plugin can do without it names:
//! `#[plugin(summary = "…", optional(http))]`; its requests are then refused where they are not allowed. What this crate itself calls is `exchange`, which is always
//! there, and `log` where a filter's request or response hook may fail.

// The macros name this crate by its name, also in its own tests.
extern crate self as portcullis_sdk;

mod answer;
pub mod balancing;
#[doc(hidden)]
pub mod bindings;
pub mod body;
pub mod clock;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod component;
pub mod config;
pub mod cookie;
pub mod counters;
pub mod crypto;
pub mod discovery;
mod error;
mod exchange;
#[doc(hidden)]
pub mod executor;
pub mod hooks;
pub mod http;
pub mod log;
pub mod metrics;
mod outcome;
#[doc(hidden)]
pub mod plugin;
pub mod query;
pub mod random;
pub mod store;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[cfg(target_family = "wasm")]
use bindings::imports::portcullis::gateway as host;
#[cfg(not(target_family = "wasm"))]
use testing::host;

pub use answer::{Answer, Part, Verdict};
pub use bindings::imports::portcullis::gateway::exchange::Refusal;
pub use body::{Body, Chunk, ChunkVerdict, Side};
pub use discovery::Instance;
pub use error::{Error, Result};
pub use exchange::Exchange;
pub use outcome::{Failure, Outcome};
#[doc(hidden)]
pub use plugin::{ChunkSaid, Plugin, Said};
pub use portcullis_sdk_macros::{config, plugin};
#[doc(hidden)]
pub use {schemars, serde, serde_json};

/// What a plugin usually needs.
pub mod prelude {
    pub use crate::{
        Answer, Body, Chunk, ChunkVerdict, Error, Exchange, Failure, Instance, Outcome, Refusal,
        Result, Side, Verdict,
    };
    pub use portcullis_sdk_macros::{config, plugin};
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
}
