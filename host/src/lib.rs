//! Portcullis: a programmable HTTP gateway whose filters are WebAssembly
//! components.
//!
//! # Life of a request
//!
//! A [`listener`] accepts on one of the [`worker`] threads; a [`connection`]
//! reads the request; [`proxy`] takes it from there and is the place to start
//! reading: it checks the head, asks the [`router`] of the current
//! [`snapshot`], runs the route's filters forward ([`pipeline`]), lets the
//! service's balancer pick an instance ([`discovery`]), sends the request
//! ([`upstream`]), runs the filters back over the response, and tells each of
//! them how it ended. Errors are values until [`respond`] makes HTTP of them.
//!
//! # What lives how long
//!
//! - As long as the process: plugin runtime, counters and store ([`state`]),
//!   instances' health and load ([`discovery`]), metrics ([`observe`]),
//!   upstream connections.
//! - As long as a configuration and a generation of plugins: a [`snapshot`].
//!   Built away from the workers, swapped in one step.
//! - As long as a request: an [`exchange`].
//!
//! # Embedding
//!
//! [`gateway::Gateway::start`] runs a gateway within a tokio `LocalSet`; the
//! binary `portcullis` does little more.

pub mod admin;
pub mod bench;
pub mod body;
pub mod config;
pub mod connection;
pub mod crypto;
pub mod discovery;
pub mod exchange;
pub mod forwarding;
pub mod gateway;
pub mod inspect;
pub mod listener;
pub mod observe;
pub mod outbound;
pub mod pipeline;
pub mod plugin;
pub mod proxy;
pub mod respond;
pub mod router;
pub mod snapshot;
pub mod state;
pub mod tls;
pub mod upstream;
pub mod worker;
