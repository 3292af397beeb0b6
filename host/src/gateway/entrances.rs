//! The listeners of a process, and what changes of them while they listen.

use std::{io, net::SocketAddr, sync::Arc};

use crate::{
    config::{Config, Listener},
    connection::Entrance,
    listener,
    snapshot::Snapshot,
};

use super::{StartError, threads::Socket};

/// One listener, as it was started.
struct Started {
    configured: Listener,
    entrance: Arc<Entrance>,
}

/// The listeners of a process.
pub(super) struct Entrances(Vec<Started>);

/// A socket for each worker.
type Sockets = Vec<std::net::TcpListener>;

impl Entrances {
    /// Binds every address of a configuration; the sockets are in the same order.
    pub(super) fn bind(snapshot: &Snapshot) -> Result<(Self, Vec<Sockets>), StartError> {
        let Config {
            listeners,
            workers,
            limits,
            ..
        } = &*snapshot.config;
        let mut started = Vec::with_capacity(listeners.len());
        let mut sockets = Vec::with_capacity(listeners.len());
        let hides = forwards(snapshot);
        for (configured, tls) in listeners.iter().zip(&snapshot.tls.servers) {
            let failed = |source: io::Error| {
                let address = configured.address;
                StartError::Listen { address, source }
            };
            sockets.push(listener::bind(configured.address, workers.get()).map_err(failed)?);
            started.push(Started {
                configured: configured.clone(),
                entrance: Arc::new(Entrance::new(configured, tls.clone(), hides, limits)),
            });
        }
        Ok((Self(started), sockets))
    }

    /// Where the listeners are, free ports filled in, as URLs.
    pub(super) fn urls(&self, sockets: &[Sockets]) -> Vec<(&'static str, SocketAddr)> {
        let address = |sockets: &Sockets| sockets.first()?.local_addr().ok();
        let each = self.0.iter().zip(sockets);
        each.filter_map(|(started, sockets)| {
            let scheme = match started.configured.tls {
                Some(_) => "https",
                None => "http",
            };
            Some((scheme, address(sockets)?))
        })
        .collect()
    }

    /// One socket of each listener, for one worker.
    pub(super) fn sockets(&self, sockets: &mut [Sockets]) -> Vec<Socket> {
        let each = self.0.iter().zip(sockets);
        each.filter_map(|(started, sockets)| Some((sockets.pop()?, Arc::clone(&started.entrance))))
            .collect()
    }

    /// Takes over what a new snapshot says of TLS and of whom to trust, for connections from now on.
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        let hides = forwards(snapshot);
        self.0.iter().for_each(|of| of.entrance.hide(hides));
        let new = snapshot.config.listeners.iter();
        for (listener, tls) in new.zip(&snapshot.tls.servers) {
            let started = self.0.iter();
            let mut same = started.filter(|started| started.configured.can_become(listener));
            let Some(started) = same.next() else {
                continue;
            };
            started.entrance.trust(listener.trusted_proxies.clone());
            if let Some(tls) = tls {
                started.entrance.change(Arc::clone(tls));
            }
        }
    }
}

/// True if services are told clients' certificates anywhere.
fn forwards(snapshot: &Snapshot) -> bool {
    let servers = snapshot.tls.servers.iter().flatten();
    servers.into_iter().any(|server| server.forwards())
}
