//! What one thread of the gateway owns: its upstream connections and its side
//! of the current snapshot.
//!
//! Nothing here is shared but the current snapshot (one atomic load a request)
//! and counters. Threads are started by `gateway::threads`; `proxy` asks for
//! what a request needs.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use tokio::{sync::watch, task::JoinSet};

use crate::{
    body::RequestBody,
    config::Limits,
    discovery::Instance,
    exchange::{Exchange, RouteIndex, ServiceIndex},
    observe::Metrics,
    outbound::{Ground, Roots},
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
    /// Whom public servers have to be vouched for by.
    pub roots: Arc<Roots>,
    /// Turns true when the gateway drains.
    pub draining: watch::Receiver<bool>,
}

/// One worker's side of one snapshot.
pub struct Local {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// This worker's plugin instances.
    pub slots: Slots,
    /// The process's metrics.
    pub metrics: Arc<Metrics>,
    balancers: Box<[Balancer]>,
    budgets: Box<[Budget]>,
}

impl Local {
    /// Takes a worker's seat of a snapshot.
    fn take(snapshot: Arc<Snapshot>, worker: usize, metrics: &Arc<Metrics>) -> Self {
        let (slots, balancers) = snapshot.seat(worker).take();
        let now = Instant::now();
        let budgets = snapshot.routes().map(|_| Budget::new(now)).collect();
        Self {
            snapshot,
            slots,
            metrics: Arc::clone(metrics),
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

/// The place of one request among those that a worker has at once; free when it
/// is dropped.
pub struct Place(Rc<Cell<usize>>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.update(|taken| taken - 1);
    }
}

/// One thread's state.
pub struct Worker {
    index: usize,
    shared: Shared,
    pool: Pool<RequestBody>,
    local: RefCell<Rc<Local>>,
    /// Requests that have a place.
    taken: Rc<Cell<usize>>,
}

impl Worker {
    /// A worker that starts with the current snapshot. `index` is its seat.
    pub fn new(index: usize, shared: Shared) -> Self {
        let options = PoolOptions::of(&shared.limits);
        let pool = Pool::new(options).measured(Arc::clone(&shared.metrics));
        let local = Local::take(shared.current.load(), index, &shared.metrics);
        Self {
            index,
            pool,
            local: RefCell::new(Rc::new(local)),
            taken: Rc::default(),
            shared,
        }
    }

    /// The snapshot that a new request uses, with this worker's instances.
    pub fn local(&self) -> Rc<Local> {
        let mut local = self.local.borrow_mut();
        if self.shared.current.generation() != local.snapshot.generation {
            let snapshot = self.shared.current.load();
            *local = Rc::new(Local::take(snapshot, self.index, &self.shared.metrics));
        }
        Rc::clone(&local)
    }

    /// A place for one more request. None: it has as many as it may.
    pub fn enter(&self) -> Option<Place> {
        if self.taken.get() >= self.shared.limits.requests {
            return None;
        }
        self.taken.update(|taken| taken + 1);
        Some(Place(Rc::clone(&self.taken)))
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

impl Worker {
    /// Lets the filters of the current snapshot work in the background, and those
    /// of the next one as soon as it is current, until the future is dropped.
    pub async fn tick(self: &Rc<Self>) {
        let mut swaps = self.shared.current.swaps();
        loop {
            let local = self.local();
            let mut ticking = JoinSet::new();
            for index in 0..local.snapshot.ticks().len() {
                let local = Rc::clone(&local);
                ticking.spawn_local(async move {
                    local.snapshot.ticks()[index].run(&local.slots).await;
                });
            }
            drop(local);
            if swaps.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Calls of plugins are a worker's like any request: on its connections, and to
/// instances that its balancers pick.
impl Ground for Worker {
    fn pool(&self) -> &Pool<RequestBody> {
        &self.pool
    }

    fn pick(
        &self,
        service: &str,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Option<Arc<Instance>> {
        let local = self.local();
        let mut services = local.snapshot.config.services.iter();
        let index = services.position(|known| known.name == service)?;
        let index = ServiceIndex(u32::try_from(index).ok()?);
        exchange.service = Some(index);
        local.balancer(index).pick(exchange, attempt).ok()
    }
}
