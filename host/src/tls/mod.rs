//! TLS: from the files that a configuration names to settings of rustls.
//!
//! Reads certificates, keys and roots, says what is wrong with them by file and
//! key, and decides what is spoken: TLS 1.2 and 1.3 with the cipher suites that
//! rustls thinks safe, cryptography by ring. Verification is always on unless a
//! configuration says `insecure_skip_verify`. Opens no socket: `upstream` and
//! `connection` do the handshakes.
//!
//! Reading blocks: never on a worker.

mod certificate;
mod client;
mod facts;
mod file;
mod server;
mod settings;
mod verify;

pub use client::{BadName, ClientTls, Clients, server_name};
pub use facts::{client_cert, facts, is_http2};
pub use rustls::pki_types::ServerName;
pub use server::ServerTls;
pub use settings::{Settings, Shown};

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// What all cryptography of TLS is done by.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
