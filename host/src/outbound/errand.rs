//! Work of plugins off the workers: a thread of its own for as long as it takes,
//! with connections and a dispatcher of its own.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use tokio::task::LocalSet;

use crate::{
    body::RequestBody,
    config::Limits,
    discovery::{Instance, Registry},
    exchange::Exchange,
    upstream::{Pool, PoolOptions},
};

use super::{Dispatcher, Roots, dispatcher::Ground};

/// Where instances of services are looked for.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// What runs: with health, and with those that have registered.
    pub running: Arc<Registry>,
    /// What the configuration says that is not applied yet.
    pub coming: Arc<Registry>,
}

/// What errands are run with.
#[derive(Debug, Clone)]
pub struct Errands {
    /// For connections, to services and to hosts.
    pub options: PoolOptions,
    /// Whom public servers have to be vouched for by.
    pub roots: Arc<Roots>,
}

impl Errands {
    /// Those of a configuration.
    pub fn of(limits: &Limits) -> Self {
        Self {
            options: PoolOptions::of(limits),
            roots: Arc::default(),
        }
    }

    /// Runs the future that `work` makes to its end, on a thread where plugins may
    /// make calls. Blocks. None: no thread could be started, or it panicked.
    pub fn run<F, T>(&self, neighbours: Neighbours, work: impl FnOnce() -> F + Send) -> Option<T>
    where
        F: Future<Output = T>,
        T: Send,
    {
        let errand = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().ok()?;
            let set = LocalSet::new();
            let output = set.block_on(&runtime, async {
                let yard = Rc::new(Yard::new(neighbours, self.options));
                let dispatcher = Dispatcher::new(yard, self.options, Arc::clone(&self.roots));
                let _lent = dispatcher.lend();
                work().await
            });
            drop(set);
            // A name server that does not answer shall not hold anybody up.
            runtime.shutdown_background();
            Some(output)
        };
        thread::scope(|scope| {
            let builder = thread::Builder::new().name("errand".into());
            let thread = builder.spawn_scoped(scope, errand).ok()?;
            thread.join().ok().flatten()
        })
    }
}

/// What such a thread lends to calls. Instances are taken in turn: a balancer is
/// a worker's.
struct Yard {
    neighbours: Neighbours,
    pool: Pool<RequestBody>,
    turn: AtomicUsize,
}

impl Yard {
    fn new(neighbours: Neighbours, options: PoolOptions) -> Self {
        Self {
            neighbours,
            pool: Pool::new(options),
            turn: AtomicUsize::new(0),
        }
    }
}

impl Ground for Yard {
    fn pool(&self) -> &Pool<RequestBody> {
        &self.pool
    }

    fn pick(&self, service: &str, exchange: &mut Box<Exchange>, _: u32) -> Option<Arc<Instance>> {
        let Neighbours { running, coming } = &self.neighbours;
        let instances = |registry: &Registry| {
            let list = registry.service(service)?.list();
            (!list.instances.is_empty()).then_some(list)
        };
        let list = instances(running).or_else(|| instances(coming))?;
        let start = self.turn.fetch_add(1, Relaxed);
        let count = list.instances.len();
        (0..count)
            .map(|offset| &list.instances[start.wrapping_add(offset) % count])
            .find(|instance| !exchange.tried.contains(&instance.number))
            .cloned()
    }
}
