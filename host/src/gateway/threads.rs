//! The threads of the workers: event loop, listeners, draining.

use std::{
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinSet, LocalSet},
    time::{MissedTickBehavior, interval},
};

use crate::{
    connection::{self, Entrance},
    listener,
    outbound::{Dispatcher, Ground},
    upstream::PoolOptions,
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
                Ok(runtime) => {
                    LocalSet::new().block_on(&runtime, run(index, sockets, shared));
                    // A name server that does not answer shall not hold up the end.
                    runtime.shutdown_background();
                }
                Err(error) => tracing::error!("worker {index} has no event loop: {error}"),
            }
        })
}

async fn run(index: usize, sockets: Vec<Socket>, shared: Shared) {
    let drain_timeout = shared.limits.drain_timeout;
    let options = PoolOptions::of(&shared.limits);
    let roots = Arc::clone(&shared.roots);
    let worker = Rc::new(Worker::new(index, shared));
    let ground: Rc<dyn Ground> = worker.clone();
    let dispatcher = Dispatcher::new(ground, options, roots);
    let lent = dispatcher.lend();
    let connections = connection::Open::default();
    let mut background = JoinSet::new();
    background.spawn_local(prune(Rc::clone(&worker), dispatcher));
    if index == 0 {
        let worker = Rc::clone(&worker);
        background.spawn_local(async move { worker.tick().await });
    }
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
    background.shutdown().await;
    drop(lent);
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
async fn prune(worker: Rc<Worker>, dispatcher: Rc<Dispatcher>) {
    let mut every = interval(Duration::from_secs(5));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let now = Instant::now();
        worker.pool().prune(now);
        dispatcher.prune(now);
    }
}
