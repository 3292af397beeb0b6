//! The gateway from outside: the real binary, real sockets, real plugins.
//!
//! Every test reads as upstream, gateway, client, assert. Plugins come from
//! `target/plugins`, where `cargo xtask plugins` leaves them.

mod support;
