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

use super::gate::Gate;
use crate::{
    config::{Limits, Listener, Networks},
    tls::ServerTls,
};

/// What holds for all connections of one listener, on all workers.
#[derive(Debug)]
pub struct Entrance {
    tls: Option<ArcSwap<ServerTls>>,
    hides: AtomicBool,
    trusted: ArcSwap<Networks>,
    senders: Option<Networks>,
    gate: Arc<Gate>,
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
    /// That of a listener, which speaks TLS or does not. `hides`: see
    /// [`Entrance::hide`].
    pub fn new(
        listener: &Listener,
        tls: Option<Arc<ServerTls>>,
        hides: bool,
        limits: &Limits,
    ) -> Self {
        Self {
            tls: tls.map(ArcSwap::new),
            hides: AtomicBool::new(hides),
            trusted: ArcSwap::from_pointee(listener.trusted_proxies.clone()),
            senders: listener.proxy_protocol.clone(),
            gate: Gate::new(limits.connections, limits.connections_per_client),
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

    /// Who says by the PROXY protocol for whom it connects; none if it is not
    /// spoken.
    pub(super) fn senders(&self) -> Option<&Networks> {
        self.senders.as_ref()
    }

    /// The connections there are.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
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
