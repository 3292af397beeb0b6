//! What one thread of the gateway owns: its upstream connections and its side
//! of the current snapshot.
//!
//! Nothing here is shared but the current snapshot (one atomic load a request)
//! and counters. Threads are started by `gateway::threads`; `proxy` asks for
//! what a request needs.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Instant};

use tokio::sync::watch;

use crate::{
    body::RequestBody,
    config::Limits,
    exchange::{RouteIndex, ServiceIndex},
    observe::Metrics,
    pipeline::{Balancer, Slots},
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
    /// A worker that starts with the current snapshot. `index` is its seat.
    pub fn new(index: usize, shared: Shared) -> Self {
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
