//! What holds for all connections of one listener.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{config::Networks, tls::ServerTls};

/// What holds for all connections of one listener, on all workers.
#[derive(Debug, Default)]
pub struct Entrance {
    tls: Option<ArcSwap<ServerTls>>,
    hides: AtomicBool,
    trusted: ArcSwap<Networks>,
}

/// Why there is no TLS on a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    /// The two sides did not come to terms, or one left.
    #[error("{0}")]
    Failed(std::io::Error),
    /// The client took too long.
    #[error("it took too long")]
    Timeout,
}

impl Entrance {
    /// One that speaks TLS, or does not. `hides`: see [`Entrance::hide`].
    /// `trusted`: see [`Entrance::trust`].
    pub fn new(tls: Option<Arc<ServerTls>>, hides: bool, trusted: Networks) -> Self {
        Self {
            tls: tls.map(ArcSwap::new),
            hides: AtomicBool::new(hides),
            trusted: ArcSwap::from_pointee(trusted),
        }
    }

    /// Uses other settings for connections from now on, if it speaks TLS.
    pub fn change(&self, new: Arc<ServerTls>) {
        if let Some(tls) = &self.tls {
            tls.store(new);
        }
    }

    /// Whether what clients say in `Client-Cert` is hidden from services on
    /// connections from now on: where any listener of the gateway tells them
    /// certificates, they believe it whichever listener a request came by.
    pub fn hide(&self, hides: bool) {
        self.hides.store(hides, Ordering::Relaxed);
    }

    /// Takes the word of these, on connections from now on, on whom they stand
    /// for.
    pub fn trust(&self, proxies: Networks) {
        self.trusted.store(Arc::new(proxies));
    }

    /// Whose word is taken.
    pub(super) fn trusted(&self) -> Arc<Networks> {
        self.trusted.load_full()
    }

    pub(super) fn hides(&self) -> bool {
        self.hides.load(Ordering::Relaxed)
    }

    /// The settings for a new connection; none without TLS.
    pub(super) fn tls(&self) -> Option<Arc<ServerTls>> {
        self.tls.as_ref().map(ArcSwap::load_full)
    }
}

/// Shakes hands within `limit`.
pub(super) async fn handshake(
    tls: &ServerTls,
    stream: TcpStream,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let acceptor = TlsAcceptor::from(Arc::clone(tls.config()));
    match timeout(limit, acceptor.accept(stream)).await {
        Ok(accepted) => accepted.map_err(HandshakeError::Failed),
        Err(_elapsed) => Err(HandshakeError::Timeout),
    }
}
