//! The composition root: starts the parts, reloads them, drains them.
//!
//! One control thread (the caller's runtime) runs the admin listener, health
//! checks, sweeping and reloads; workers serve traffic. What blocks —
//! compiling plugins, reading files, resolving names — runs on tokio's
//! blocking threads, never on either.

mod check;
mod control;
mod entrances;
mod reload;
#[cfg(test)]
mod tests;
mod threads;
mod warnings;

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use tokio::{sync::watch, task::JoinSet};

pub use check::check;
use entrances::Entrances;
pub use reload::Environment;

use crate::{
    admin::{self, Admin},
    config::{Config, Diagnostics},
    observe::CertificateExpiry,
    plugin::Compiler,
    snapshot::{Current, Snapshot},
    worker::Shared,
};

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong; shows every mistake.
    #[error("{0}")]
    Config(Diagnostics),
    /// The plugin runtime cannot work on this machine.
    #[error("the plugin runtime cannot start: {0}")]
    Runtime(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// A running gateway. Dropping it stops the control tasks; workers go on
/// until `drain`.
pub struct Gateway {
    addresses: Vec<(&'static str, SocketAddr)>,
    admin_address: Option<SocketAddr>,
    current: Arc<Current>,
    ready: Arc<AtomicBool>,
    draining: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    control: JoinSet<()>,
}

impl Gateway {
    /// Starts a gateway. To be called in a `LocalSet` of a tokio runtime,
    /// which is the control thread from then on. Plugins are compiled by
    /// `compiler`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the configuration, at once; or an address
    /// that is taken. Nothing is left running then.
    pub async fn start(
        file: PathBuf,
        environment: Environment,
        compiler: Compiler,
    ) -> Result<Self, StartError> {
        let (reloader, snapshot) = reload::Reloader::start(file, environment, compiler).await?;
        let config = Arc::clone(&snapshot.config);
        let (entrances, sockets) = Entrances::bind(&snapshot)?;
        let admin_socket = bind_admin(&config)?;
        let addresses = entrances.urls(&sockets);
        let admin_address = admin_socket.as_ref().and_then(|s| s.local_addr().ok());

        let current = Arc::new(Current::new(snapshot));
        let of = Arc::downgrade(&current);
        (reloader.metrics()).certificates_from(move || certificates(&of));
        let (draining, drained) = watch::channel(false);
        let shared = Shared {
            current: Arc::clone(&current),
            metrics: Arc::clone(reloader.metrics()),
            limits: Arc::new(config.limits.clone()),
            roots: reloader.roots(),
            draining: drained,
        };
        let workers = start_workers(sockets, &entrances, &config, &shared)?;

        let ready = Arc::new(AtomicBool::new(true));
        let mut control = JoinSet::new();
        if let Some(socket) = admin_socket {
            let admin = Admin {
                current: Arc::clone(&current),
                registry: Arc::clone(reloader.registry()),
                metrics: Arc::clone(reloader.metrics()),
                status: Arc::clone(reloader.status()),
                ready: Arc::clone(&ready),
            };
            control.spawn_local(admin::serve(socket, admin));
        }
        control::spawn(&mut control, reloader, entrances, Arc::clone(&current));
        Ok(Self {
            addresses,
            admin_address,
            current,
            ready,
            draining,
            workers,
            control,
        })
    }

    /// The addresses that traffic is accepted on, free ports filled in, each
    /// with its scheme: `http` or `https`.
    pub fn addresses(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// The admin listener's address.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The snapshot that new requests use.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load()
    }

    /// Stops accepting, lets requests in flight finish, and returns when all
    /// have or the drain timeout is over.
    pub async fn drain(mut self) {
        self.ready.store(false, Ordering::Release);
        self.draining.send_replace(true);
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(|| {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!("a worker ended by a panic");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("could not wait for the workers");
        }
        self.control.shutdown().await;
    }
}

/// How long the certificates of the current snapshot last.
fn certificates(current: &Weak<Current>) -> Vec<CertificateExpiry> {
    let snapshot = current.upgrade().map(|current| current.load());
    let shown = snapshot
        .iter()
        .flat_map(|snapshot| &snapshot.tls.certificates);
    let now = SystemTime::now();
    let expiry = shown.map(|shown| CertificateExpiry {
        file: shown.file.display().to_string(),
        seconds: shown.seconds_left(now),
    });
    expiry.collect()
}

fn bind_admin(config: &Config) -> Result<Option<tokio::net::TcpListener>, StartError> {
    let Some(admin) = &config.admin else {
        return Ok(None);
    };
    let address = admin.address;
    let bound = std::net::TcpListener::bind(address).and_then(|socket| {
        socket.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(socket)
    });
    bound
        .map(Some)
        .map_err(|source| StartError::Listen { address, source })
}

fn start_workers(
    mut sockets: Vec<Vec<std::net::TcpListener>>,
    entrances: &Entrances,
    config: &Config,
    shared: &Shared,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    (0..config.workers.get())
        .map(|index| {
            let own = entrances.sockets(&mut sockets);
            threads::start(index, own, shared.clone()).map_err(StartError::Worker)
        })
        .collect()
}
