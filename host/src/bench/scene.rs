//! What is measured: a route's pipeline in a snapshot of its own, with the
//! instances of one worker.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::task::LocalSet;

use crate::{
    config::{self, Config, Diagnostics},
    discovery::Registry,
    exchange::{RouteIndex, ServiceIndex},
    observe::Metrics,
    pipeline::{Balancer, Slots},
    plugin::{Directory, Faults, HostServices, Plugin, Runtime, RuntimeOptions},
    snapshot::{Builder, Library, Route, Snapshot},
    state::{Counters, KeyValue, ManualClock, Timestamp},
};

/// What time passes for the plugins' state from one request to the next.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(1);

/// What time passes when a filter answered: so that a limit that was reached
/// is not what is measured from then on.
const AFTER_AN_ANSWER: Duration = Duration::from_secs(60 * 60);

/// A configuration, and the route of it that is measured.
pub(super) struct Plan {
    config: Config,
    index: usize,
}

impl Plan {
    pub(super) fn read(
        file: &Path,
        route: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut config = config::load(file, environment).map_err(|error| error.to_string())?;
        let Some(index) = config.routes.iter().position(|known| known.name == route) else {
            let names: Vec<&str> = config.routes.iter().map(|r| r.name.as_str()).collect();
            let (file, names) = (file.display(), names.join(", "));
            return Err(format!(
                "{file}: there is no route `{route}`\n  hint: there is {names}"
            ));
        };
        // Other routes stay, since they take requests, but do nothing.
        for (other, route) in config.routes.iter_mut().enumerate() {
            if other != index {
                route.pipeline.clear();
            }
        }
        without_names(&mut config);
        let mut plan = Self { config, index };
        // The others are not loaded.
        let used: BTreeSet<String> = plan.used().into_iter().map(str::to_owned).collect();
        let named = &mut plan.config.plugins.named;
        named.retain(|plugin, _| used.contains(plugin));
        Ok(plan)
    }

    /// The route that is measured.
    pub(super) fn route(&self) -> &config::Route {
        &self.config.routes[self.index]
    }

    /// The balancer of the route's service, if it has both.
    pub(super) fn balancer(&self) -> Option<&config::Step> {
        let service = self.route().service.as_ref()?;
        let service = self.config.services.iter().find(|s| s.name == *service)?;
        service.balancer.as_ref()
    }

    /// A runtime as one that serves.
    pub(super) fn runtime(&self) -> Result<Runtime, String> {
        self.runtime_that(false)
    }

    /// A runtime that counts what plugins do.
    pub(super) fn counting_runtime(&self) -> Result<Runtime, String> {
        self.runtime_that(true)
    }

    fn runtime_that(&self, counts_work: bool) -> Result<Runtime, String> {
        Runtime::new(RuntimeOptions {
            cache: self.config.plugins.cache.clone(),
            cache_size: self.config.plugins.cache_size,
            limits: self.config.plugins.limits.clone(),
            counts_work,
            ..RuntimeOptions::default()
        })
        .map_err(|error| error.to_string())
    }

    /// The plugins that the route and the services use.
    fn used(&self) -> BTreeSet<&str> {
        let filters = self.route().pipeline.iter();
        let services = self.config.services.iter();
        filters
            .chain(services.filter_map(|service| service.balancer.as_ref()))
            .map(|step| step.plugin.as_str())
            .collect()
    }
}

/// Nothing is connected to, so names need not resolve: instances that have one
/// get an address of those set aside for benchmarks (RFC 2544).
fn without_names(config: &mut Config) {
    let instances = config.services.iter_mut().flat_map(|s| &mut s.instances);
    for (number, instance) in (1_u32..).zip(instances) {
        if instance.address.parse::<SocketAddr>().is_err() {
            let first = u32::from(Ipv4Addr::new(198, 18, 0, 0));
            let address = Ipv4Addr::from(first + (number & 0x1_ffff));
            instance.address = format!("{address}:80");
        }
    }
}

/// Another file in place of a plugin.
#[derive(Clone, Copy)]
pub(super) struct Replacement<'a> {
    /// The plugin's name.
    pub(super) plugin: &'a str,
    /// The file.
    pub(super) file: &'a Path,
}

/// One worker's side of a snapshot, made for one route.
pub(super) struct Scene {
    snapshot: Snapshot,
    pub(super) slots: Slots,
    balancers: Box<[Balancer]>,
    clock: ManualClock,
    index: RouteIndex,
    /// What filters that wait are awaited in.
    waiting: tokio::runtime::Runtime,
}

impl Scene {
    pub(super) fn new(
        plan: &Plan,
        runtime: &Runtime,
        replaced: Option<Replacement<'_>>,
    ) -> Result<Self, String> {
        let config = Arc::new(plan.config.clone());
        let library = library(plan, runtime, replaced)?;
        let clock = ManualClock::new(now());
        let builder = builder(&config, &clock);
        let none = Diagnostics::new(&config.file);
        let snapshot = builder
            .draft(config, &library, none)
            .and_then(|draft| builder.finish(draft, 1, 1))
            .map_err(|mistakes| match replaced {
                Some(Replacement { file, .. }) => format!("with {}: {mistakes}", file.display()),
                None => mistakes.to_string(),
            })?;
        let (slots, balancers) = snapshot.seat(0).take();
        let index = u32::try_from(plan.index).map_err(|_| "too many routes")?;
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("no event loop for filters that wait: {error}"))?;
        Ok(Self {
            waiting,
            snapshot,
            slots,
            balancers,
            clock,
            index: RouteIndex(index),
        })
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn index(&self) -> RouteIndex {
        self.index
    }

    pub(super) fn route(&self) -> &Route {
        self.snapshot.route(self.index)
    }

    pub(super) fn balancer(&self, service: ServiceIndex) -> &Balancer {
        &self.balancers[service.0 as usize]
    }

    /// Blocks until a filter that waits has come to its end.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        LocalSet::new().block_on(&self.waiting, future)
    }

    /// Time passes between two requests.
    pub(super) fn next_request(&self) {
        self.clock.advance(BETWEEN_REQUESTS);
    }

    /// Time passes since a filter did not let a request through.
    pub(super) fn after_an_answer(&self) {
        self.clock.advance(AFTER_AN_ANSWER);
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since_epoch.unwrap_or_default().as_nanos();
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn builder(config: &Config, clock: &ManualClock) -> Builder {
    let metrics = Arc::new(Metrics::new());
    let registry = Arc::new(Registry::new());
    Builder {
        host: Arc::new(HostServices {
            counters: Counters::new(config.limits.counters, clock.clock()),
            store: KeyValue::new(config.limits.store, clock.clock()),
            registry: Arc::clone(&registry),
            metrics: Arc::clone(&metrics),
            faults: Faults::default(),
        }),
        registry,
        metrics,
        errands: None,
    }
}

fn library(
    plan: &Plan,
    runtime: &Runtime,
    replaced: Option<Replacement<'_>>,
) -> Result<Library, String> {
    let mut library = Library::default();
    let used = plan.used();
    for (name, read) in Directory::new(
        &plan.config.plugins.directory,
        plan.config.plugins.file_size,
    )
    .scan()
    {
        if used.contains(name.as_str()) {
            let loaded = read
                .map_err(|error| error.to_string())
                .and_then(|bytes| load(runtime, &name, &bytes));
            library.insert(name, loaded);
        }
    }
    if let Some(Replacement { plugin, file }) = replaced {
        let shown = file.display();
        let bytes = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
        let loaded = load(runtime, plugin, &bytes).map_err(|error| format!("{shown}: {error}"))?;
        library.insert(plugin.to_owned(), Ok(loaded));
    }
    Ok(library)
}

fn load(runtime: &Runtime, name: &str, bytes: &[u8]) -> Result<Arc<Plugin>, String> {
    runtime.load(name, bytes).map_err(|error| error.to_string())
}
