//! One thread of the gateway: its event loop, listeners, upstream connections
//! and plugin instances.
//!
//! Nothing here is shared but the current snapshot (one atomic load a request)
//! and counters. Started by `gateway`; connections run in `connection`.

use std::{
    cell::RefCell,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    task::LocalSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::Limits,
    connection,
    exchange::{RouteIndex, ServiceIndex},
    listener,
    observe::Metrics,
    pipeline::{Balancer, Slots},
    proxy::RequestBody,
    snapshot::{Current, Snapshot},
    upstream::{Budget, Pool, PoolOptions},
};

/// What a worker shares with the rest of the process.
#[derive(Clone)]
pub struct Shared {
    /// The snapshot that new requests use.
    pub current: Arc<Current>,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
    /// Bounds on peers; fixed at start.
    pub limits: Arc<Limits>,
    /// Turns true when the gateway drains.
    pub draining: watch::Receiver<bool>,
}

/// One worker's side of one snapshot.
pub struct Local {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// This worker's plugin instances.
    pub slots: Slots,
    balancers: Box<[Balancer]>,
    budgets: Box<[Budget]>,
}

impl Local {
    /// Takes a worker's seat of a snapshot.
    fn take(snapshot: Arc<Snapshot>, worker: usize) -> Self {
        let (slots, balancers) = snapshot.seat(worker).take();
        let now = Instant::now();
        let budgets = snapshot.routes().map(|_| Budget::new(now)).collect();
        Self {
            snapshot,
            slots,
            balancers,
            budgets,
        }
    }

    /// This worker's balancer of a service.
    pub fn balancer(&self, service: ServiceIndex) -> &Balancer {
        &self.balancers[service.0 as usize]
    }

    /// This worker's retry budget of a route.
    pub fn budget(&self, route: RouteIndex) -> &Budget {
        &self.budgets[route.0 as usize]
    }
}

/// One thread's state.
pub struct Worker {
    index: usize,
    shared: Shared,
    pool: Pool<RequestBody>,
    local: RefCell<Rc<Local>>,
}

impl Worker {
    fn new(index: usize, shared: Shared) -> Self {
        let limits = &shared.limits;
        let pool = Pool::new(PoolOptions {
            connect_timeout: limits.connect_timeout,
            idle_connections: limits.idle_connections,
            idle_timeout: limits.idle_timeout,
        })
        .measured(Arc::clone(&shared.metrics));
        let local = Local::take(shared.current.load(), index);
        Self {
            index,
            pool,
            local: RefCell::new(Rc::new(local)),
            shared,
        }
    }

    /// The snapshot that a new request uses, with this worker's instances.
    pub fn local(&self) -> Rc<Local> {
        let mut local = self.local.borrow_mut();
        if self.shared.current.generation() != local.snapshot.generation {
            *local = Rc::new(Local::take(self.shared.current.load(), self.index));
        }
        Rc::clone(&local)
    }

    /// This worker's upstream connections.
    pub fn pool(&self) -> &Pool<RequestBody> {
        &self.pool
    }

    /// The process's metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Bounds on peers.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Turns true when the gateway drains.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.shared.draining.clone()
    }
}

/// Starts a worker on sockets that are bound already. The thread ends when
/// the gateway drains: after its last connection, or at the drain timeout.
pub fn start(
    index: usize,
    sockets: Vec<TcpListener>,
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

async fn run(index: usize, sockets: Vec<TcpListener>, shared: Shared) {
    let drain_timeout = shared.limits.drain_timeout;
    let worker = Rc::new(Worker::new(index, shared));
    let connections = connection::Open::default();
    let prune = tokio::task::spawn_local(prune(Rc::clone(&worker)));
    let accepting: Vec<_> = sockets
        .into_iter()
        .map(|socket| {
            let worker = Rc::clone(&worker);
            tokio::task::spawn_local(listener::accept(socket, worker, connections.clone()))
        })
        .collect();
    for task in accepting {
        if let Err(error) = task.await {
            tracing::error!("a listener of worker {index} ended: {error}");
        }
    }
    connections.drain();
    if tokio::time::timeout(drain_timeout, connections.closed())
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

/// Closes upstream connections that were idle for too long.
async fn prune(worker: Rc<Worker>) {
    let mut every = interval(Duration::from_secs(5));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        worker.pool.prune(Instant::now());
    }
}
