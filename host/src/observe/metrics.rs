//! All metrics of a process.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use http::StatusCode;

use super::{
    exposition::{Exposition, Number, Type},
    figures::{CertificateExpiry, InstanceHealth, PluginUses, StateFigures},
    filter::{self, BalancerMetrics, CallSeries, FilterMetrics},
    plugin::PluginMetrics,
    process,
    refused::{Refusals, Refused},
    registry::Registry,
    route::{self, RouteMetrics, RouteSeries},
};

/// All metrics of a process; survives reloads.
#[derive(Debug)]
pub struct Metrics {
    started: SystemTime,
    routes: Registry<String, RouteSeries>,
    filters: Registry<(String, usize, String), CallSeries>,
    balancers: Registry<(String, String), CallSeries>,
    unrouted: Arc<RouteSeries>,
    plugins: PluginMetrics,
    connections: Connections,
    refused: Refusals,
    handshake_failures: AtomicU64,
    certificates: OnceLock<Source<Vec<CertificateExpiry>>>,
    upstream_connections: Connections,
    reloads: Reloads,
    health: OnceLock<Source<Vec<InstanceHealth>>>,
    state: OnceLock<Source<StateFigures>>,
    uses: OnceLock<Source<BTreeMap<Arc<str>, PluginUses>>>,
    missing: Mutex<Vec<String>>,
}

/// Open now, and opened ever.
#[derive(Debug, Clone, Default)]
struct Connections(Arc<(AtomicI64, AtomicU64)>);

/// One open connection: counted until it is dropped.
#[derive(Debug)]
pub struct OpenConnection(Connections);

#[derive(Debug, Default)]
struct Reloads {
    generation: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    last_success: AtomicU64,
}

/// Something that is asked at each scrape.
struct Source<T>(Box<dyn Fn() -> T + Send + Sync>);

impl<T> fmt::Debug for Source<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Source")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing measured yet.
    pub fn new() -> Self {
        Self {
            started: SystemTime::now(),
            routes: Registry::new(),
            filters: Registry::new(),
            balancers: Registry::new(),
            unrouted: Arc::new(RouteSeries::new(String::new())),
            plugins: PluginMetrics::default(),
            connections: Connections::default(),
            refused: Refusals::default(),
            handshake_failures: AtomicU64::new(0),
            certificates: OnceLock::new(),
            upstream_connections: Connections::default(),
            reloads: Reloads::default(),
            health: OnceLock::new(),
            state: OnceLock::new(),
            uses: OnceLock::new(),
            missing: Mutex::default(),
        }
    }

    /// The series of a route, which live while a handle of it does. Locks: to
    /// be resolved when a snapshot is built.
    pub fn route(&self, route: &str) -> RouteMetrics {
        let make = |name: &String| RouteSeries::new(name.clone());
        RouteMetrics(self.routes.resolve(route.to_owned(), make))
    }

    /// The series of the step at a position of a route's pipeline, like those
    /// of the route.
    pub fn filter(&self, route: &str, plugin: &str, position: usize) -> FilterMetrics {
        let key = (route.to_owned(), position, plugin.to_owned());
        let make = |_: &_| CallSeries::filter(route, plugin, position);
        FilterMetrics(self.filters.resolve(key, make))
    }

    /// The series of a service's balancer, like those of a route.
    pub fn balancer(&self, service: &str, plugin: &str) -> BalancerMetrics {
        let key = (service.to_owned(), plugin.to_owned());
        let make = |_: &_| CallSeries::balancer(service, plugin);
        BalancerMetrics(self.balancers.resolve(key, make))
    }

    /// A request that no route matched was answered. One atomic addition.
    pub fn unrouted(&self, status: StatusCode) {
        self.unrouted.count(status.as_u16());
    }

    /// Something of a client was refused at the edge. One atomic addition.
    pub fn refused(&self, why: Refused) {
        self.refused.count(why);
    }

    /// A client has connected: counts until the returned value is dropped.
    pub fn connection(&self) -> OpenConnection {
        self.connections.open()
    }

    /// The gateway has connected to an instance: counts likewise.
    pub fn upstream_connection(&self) -> OpenConnection {
        self.upstream_connections.open()
    }

    /// Metrics that plugins define, and traps.
    pub fn plugins(&self) -> &PluginMetrics {
        &self.plugins
    }

    /// A configuration was applied, or refused; `generation` runs now.
    pub fn reloaded(&self, applied: bool, generation: u64) {
        let reloads = &self.reloads;
        reloads.generation.store(generation, Ordering::Relaxed);
        if applied {
            reloads.succeeded.fetch_add(1, Ordering::Relaxed);
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.unwrap_or_default().as_secs();
            reloads.last_success.store(now, Ordering::Relaxed);
        } else {
            reloads.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where the instances' health is asked, at each scrape. The first counts.
    pub fn health_from(&self, read: impl Fn() -> Vec<InstanceHealth> + Send + Sync + 'static) {
        self.health.get_or_init(|| Source(Box::new(read)));
    }

    /// Where the state's figures are asked, at each scrape. The first counts.
    pub fn state_from(&self, read: impl Fn() -> StateFigures + Send + Sync + 'static) {
        self.state.get_or_init(|| Source(Box::new(read)));
    }

    /// Where the uses of each plugin are asked, at each scrape. The first counts.
    pub fn uses_from(
        &self,
        read: impl Fn() -> BTreeMap<Arc<str>, PluginUses> + Send + Sync + 'static,
    ) {
        self.uses.get_or_init(|| Source(Box::new(read)));
    }

    /// Where the certificates that the gateway shows are asked, at each scrape.
    /// The first counts.
    pub fn certificates_from(
        &self,
        read: impl Fn() -> Vec<CertificateExpiry> + Send + Sync + 'static,
    ) {
        self.certificates.get_or_init(|| Source(Box::new(read)));
    }

    /// Counts a TLS handshake with a client that came to nothing.
    pub fn handshake_failed(&self) {
        self.handshake_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The required plugins that are missing from now on.
    pub fn plugins_missing<'a>(&self, plugins: impl Iterator<Item = &'a String>) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        *missing = plugins.cloned().collect();
    }

    /// Everything in Prometheus' text format, version 0.0.4. Reads `/proc`
    /// and allocates: for the control thread.
    pub fn render(&self) -> String {
        let mut out = Exposition::default();
        let mut routes = self.routes.living();
        routes.insert(0, Arc::clone(&self.unrouted));
        route::render(&routes, &mut out);
        filter::render_filters(&self.filters.living(), &mut out);
        filter::render_balancers(&self.balancers.living(), &mut out);
        self.plugins.render(&mut out);
        self.render_absent(&mut out);
        self.render_health(&mut out);
        self.connections
            .render("portcullis_connections", "Connections of clients", &mut out);
        self.refused.render(&mut out);
        self.render_tls(&mut out);
        let name = "portcullis_upstream_connections";
        self.upstream_connections
            .render(name, "Connections to instances", &mut out);
        self.reloads.render(&mut out);
        self.render_state(&mut out);
        process::render(self.started, &mut out);
        let name = "portcullis_build_info";
        out.family(name, Type::Gauge, "Always 1; the version is a label.");
        out.sample(
            name,
            &[("version", env!("CARGO_PKG_VERSION"))],
            Number::Count(1),
        );
        out.finish()
    }

    /// Plugins that are not called, or not as usual, or cannot be.
    fn render_absent(&self, out: &mut Exposition) {
        let uses = self.uses.get().map(|source| (source.0)());
        let uses = uses.unwrap_or_default();
        let mut family = |name, help, count: fn(&PluginUses) -> u64| {
            out.family(name, Type::Gauge, help);
            for (plugin, uses) in &uses {
                out.sample(name, &[("plugin", plugin)], Number::Count(count(uses)));
            }
        };
        let help = "Configurations of a plugin that are quarantined.";
        family("portcullis_plugin_quarantined", help, |uses| {
            uses.quarantined
        });
        let help = "Configurations of a plugin that take long and are called aside.";
        family("portcullis_plugin_slow", help, |uses| uses.slow);
        let name = "portcullis_plugin_missing";
        let help = "Always 1: a required plugin that is not there or does not load.";
        out.family(name, Type::Gauge, help);
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        for plugin in missing.iter() {
            out.sample(name, &[("plugin", plugin)], Number::Count(1));
        }
    }

    fn render_tls(&self, out: &mut Exposition) {
        let number = Number::Count(self.handshake_failures.load(Ordering::Relaxed));
        let help = "TLS handshakes with clients that failed or took too long.";
        let name = "portcullis_tls_handshake_failures_total";
        out.single(name, Type::Counter, help, number);
        let name = "portcullis_certificate_expiry_seconds";
        let help = "Until a certificate that the gateway shows expires; below 0 when it has.";
        out.family(name, Type::Gauge, help);
        let certificates = self.certificates.get().map(|source| (source.0)());
        for CertificateExpiry { file, seconds } in certificates.unwrap_or_default() {
            out.sample(name, &[("file", &file)], Number::Level(seconds));
        }
    }

    fn render_health(&self, out: &mut Exposition) {
        let name = "portcullis_instance_healthy";
        out.family(name, Type::Gauge, "1 if an instance may be picked, else 0.");
        for of in self
            .health
            .get()
            .map(|source| (source.0)())
            .unwrap_or_default()
        {
            let labels = [("service", &*of.service), ("instance", &*of.instance)];
            out.sample(name, &labels, Number::Count(of.healthy.into()));
        }
    }

    fn render_state(&self, out: &mut Exposition) {
        let Some(figures) = self.state.get().map(|source| (source.0)()) else {
            return;
        };
        for (name, kind, help, figure) in [
            (
                "entries",
                Type::Gauge,
                "Entries of the counters.",
                figures.counters,
            ),
            (
                "evictions_total",
                Type::Counter,
                "Entries of the counters that had to go before their time.",
                figures.counter_evictions,
            ),
            (
                "values",
                Type::Gauge,
                "Values in the store.",
                figures.values,
            ),
            (
                "value_bytes",
                Type::Gauge,
                "What values take.",
                figures.value_bytes,
            ),
            (
                "value_evictions_total",
                Type::Counter,
                "Values that had to go before their time.",
                figures.value_evictions,
            ),
        ] {
            out.single(
                &format!("portcullis_state_{name}"),
                kind,
                help,
                Number::Count(figure),
            );
        }
    }
}

impl Connections {
    fn open(&self) -> OpenConnection {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.1.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self.clone())
    }

    fn render(&self, name: &str, what: &str, out: &mut Exposition) {
        let (open, ever) = (&self.0.0, &self.0.1);
        let number = Number::Level(open.load(Ordering::Relaxed));
        out.single(name, Type::Gauge, &format!("{what} that are open."), number);
        let number = Number::Count(ever.load(Ordering::Relaxed));
        let help = format!("{what} that were ever opened.");
        out.single(&format!("{name}_total"), Type::Counter, &help, number);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reloads {
    fn render(&self, out: &mut Exposition) {
        let read = |of: &AtomicU64| Number::Count(of.load(Ordering::Relaxed));
        let name = "portcullis_reloads_total";
        out.family(
            name,
            Type::Counter,
            "Configurations applied (the first included) and refused.",
        );
        out.sample(name, &[("result", "success")], read(&self.succeeded));
        out.sample(name, &[("result", "failure")], read(&self.failed));
        let name = "portcullis_config_generation";
        let help = "The generation that runs.";
        out.single(name, Type::Gauge, help, read(&self.generation));
        let name = "portcullis_reload_last_success_timestamp_seconds";
        let help = "When it was applied, since the Unix epoch.";
        out.single(name, Type::Gauge, help, read(&self.last_success));
    }
}
