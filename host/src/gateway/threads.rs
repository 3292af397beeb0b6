//! The threads of the workers: event loop, listeners, draining.

use std::{
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    task::LocalSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    connection::{self, Entrance},
    listener,
    worker::{Shared, Worker},
};

/// How long connections without a request stay open when draining begins, for
/// requests that are on their way.
const LINGER: Duration = Duration::from_millis(500);

/// A socket, and what holds for its connections.
pub(super) type Socket = (TcpListener, Arc<Entrance>);

/// Starts a worker on sockets that are bound already. The thread ends when
/// the gateway drains: after its last connection, or at the drain timeout.
pub(super) fn start(
    index: usize,
    sockets: Vec<Socket>,
    shared: Shared,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => LocalSet::new().block_on(&runtime, run(index, sockets, shared)),
                Err(error) => tracing::error!("worker {index} has no event loop: {error}"),
            }
        })
}

async fn run(index: usize, sockets: Vec<Socket>, shared: Shared) {
    let drain_timeout = shared.limits.drain_timeout;
    let worker = Rc::new(Worker::new(index, shared));
    let connections = connection::Open::default();
    let prune = tokio::task::spawn_local(prune(Rc::clone(&worker)));
    let accepting: Vec<_> = sockets
        .into_iter()
        .map(|(socket, entrance)| {
            let (worker, connections) = (Rc::clone(&worker), connections.clone());
            tokio::task::spawn_local(listener::accept(socket, worker, connections, entrance))
        })
        .collect();
    for task in accepting {
        if let Err(error) = task.await {
            tracing::error!("a listener of worker {index} ended: {error}");
        }
    }
    if tokio::time::timeout(drain_timeout, drain(&connections))
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.count(),
            "the drain timeout is over; closing what is still open"
        );
    }
    prune.abort();
}

async fn drain(connections: &connection::Open) {
    connections.drain();
    let closed = connections.closed();
    if tokio::time::timeout(LINGER, closed).await.is_err() {
        connections.close_idle();
        connections.closed().await;
    }
}

/// Closes upstream connections that were idle for too long.
async fn prune(worker: Rc<Worker>) {
    let mut every = interval(Duration::from_secs(5));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        worker.pool().prune(Instant::now());
    }
}
