//! The gateway from outside: the real binary, real sockets, real plugins.
//!
//! Every test reads as upstream, gateway, client, assert. Plugins come from
//! `target/plugins`, where `cargo xtask plugins` leaves them.

mod admin;
mod answers;
mod balancers;
mod drain;
mod forwarding;
mod retries;
mod routes;
mod services;
mod support;
