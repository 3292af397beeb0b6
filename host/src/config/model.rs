//! The checked form of a configuration: what the rest of the gateway sees.
//!
//! Every value here has been validated; nothing is an `Option` that means
//! "should have been checked". Text, YAML and positions end at this line, but
//! for the plugin configurations: those are checked by the plugins, so they
//! carry their positions along.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use http::{HeaderName, Method};

use super::{
    Allow, Http2Limits, HttpLimits, Listener, PathPattern, Position, Protocol, Retries,
    RouteLimits, ServiceTls,
};

/// A whole configuration, checked; or, in a `Reading` with mistakes, what
/// could be read of one.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Threads that serve traffic. Default: the number of cores.
    pub workers: NonZeroUsize,
    /// Addresses that traffic is accepted on. At least one.
    pub listeners: Vec<Listener>,
    /// The admin listener. None only where the file says `enabled: false`.
    pub admin: Option<Admin>,
    /// Where plugins come from, and what each may use.
    pub plugins: Plugins,
    /// Named upstreams, by name.
    pub services: Vec<Service>,
    /// Routes, in the order of the file.
    pub routes: Vec<Route>,
    /// Bounds on what clients and upstreams may make the gateway hold.
    pub limits: Limits,
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The address. Default `127.0.0.1:9901`.
    pub address: SocketAddr,
}

/// Where plugins come from.
#[derive(Debug, Clone)]
pub struct Plugins {
    /// The watched directory; absolute or resolved against the configuration's.
    pub directory: PathBuf,
    /// Where compiled plugins are kept. Default: `.cache` in the directory. None
    /// only where the file says `cache: false`.
    pub cache: Option<PathBuf>,
    /// Bytes of compiled plugins that are kept. Default 1 GiB.
    pub cache_size: u64,
    /// What compiling one plugin may take.
    pub compile: CompileLimits,
    /// Bytes that a plugin's file may have. Default 64 MiB.
    pub file_size: usize,
    /// What a plugin that is not among `named` may use.
    pub limits: PluginLimits,
    /// What a plugin that is not among `named` is granted.
    pub allow: Allow,
    /// Plugins for which other limits or grants hold, by name.
    pub named: BTreeMap<String, NamedPlugin>,
    /// When a plugin that fails is not called for a while.
    pub quarantine: QuarantinePolicy,
}

/// When a plugin that fails again and again is not called for a while, and for
/// how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantinePolicy {
    /// Whether that happens at all. Default: yes.
    pub enabled: bool,
    /// Failures of one hook that are too many. Default 5.
    pub failures: NonZeroU32,
    /// The share of the hook's calls, in percent, that they have to be, counted
    /// from the first failure on. Default 50.
    pub percent: u32,
    /// The time in which they are counted. Default 10 s.
    pub within: Duration,
    /// How long the first quarantine lasts; doubles with each. Default 1 s.
    pub base: Duration,
    /// The longest; after so long a time of health the next begins with `base`
    /// again. Default 60 s.
    pub max: Duration,
}

/// What compiling one plugin may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileLimits {
    /// The longest it may take. Default 60 s.
    pub timeout: Duration,
    /// Bytes of memory of the process that compiles. Default 1 GiB.
    pub memory: u64,
}

/// What holds for one plugin, wherever it is used.
#[derive(Debug, Clone)]
pub struct NamedPlugin {
    /// What it may use. Default: `plugins.limits`.
    pub limits: PluginLimits,
    /// What it is granted.
    pub allow: Allow,
    /// Where in the file it stands.
    pub at: Position,
}

/// What a plugin may use. Each worker's instance has its own memory and
/// tables; the rest is of all instances of a filter together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PluginLimits {
    /// Bytes of linear memory of one instance. Default 64 MiB.
    pub memory: usize,
    /// Elements in each table of one instance. Default 10,000.
    pub table: usize,
    /// The longest one hook may run. Default 50 ms.
    pub call_timeout: Duration,
    /// The longest one hook may take that waits for others. Default 10 s.
    pub wait_timeout: Duration,
    /// The longest instantiating and configuring may run. Default 2 s.
    pub start_timeout: Duration,
    /// Instances at once where each request gets its own, and calls at once where
    /// calls wait for others. Default 2,000.
    pub instances: usize,
    /// Calls that wait for their turn on one worker, of a plugin that takes long.
    /// Default 64.
    pub queue: usize,
    /// Calls of the gateway's functions in one hook. Default 10,000.
    pub host_calls: u32,
    /// Lines per second in the log. Default 1,000.
    pub log_lines: u32,
    /// Entries of counters that its namespace may hold when it adds one.
    /// Default 500,000.
    pub counters: usize,
    /// Values that its namespace may hold when it adds one. Default 100,000.
    pub store_keys: usize,
    /// Bytes of keys and values, likewise. Default 16 MiB.
    pub store_bytes: usize,
    /// Series that the plugin may have when it adds one. Default 1,000.
    pub metric_series: usize,
    /// Bytes of the body of an answer that it gives. Default 1 MiB.
    pub response_size: usize,
    /// Bytes of a body that a filter sees whole.
    pub body_buffer: usize,
    /// Bytes of all bodies that are kept for it to see whole. Default 64 MiB.
    pub body_buffers: usize,
    /// What its own requests may take.
    pub http: HttpLimits,
}

/// Bounds on what a peer may make the gateway hold, and on waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head. Default 64 KiB; above it 431.
    pub request_head: usize,
    /// Header fields in a request. Default 100; above it 431.
    pub request_headers: usize,
    /// Bytes of a request's body. Default 10 GiB (streamed); above it 413.
    pub request_body: u64,
    /// How long a client may take to send a head. Default 10 s.
    pub head_timeout: Duration,
    /// How long a TLS handshake with a client may take. Default 10 s.
    pub handshake_timeout: Duration,
    /// Connections of one listener. Default 50,000; more are closed at once.
    pub connections: usize,
    /// Connections of one listener from one client. Default 10,000; more are closed
    /// at once.
    pub connections_per_client: usize,
    /// How long a client gets no connection after a flood of HTTP/2 frames. Default 1 s.
    pub flood_penalty: Duration,
    /// Requests of one worker at the same time, each to the end of its answer.
    /// Default 50,000; above it 503.
    pub requests: usize,
    /// Requests on one connection. Default 100,000; then it ends.
    pub requests_per_connection: u64,
    /// How long a connection may go on, give or take a tenth. Default 1 h.
    pub connection_age: Duration,
    /// How long a connection of HTTP/1.1 may be without a request after one.
    /// Default 60 s.
    pub keep_alive_timeout: Duration,
    /// How long a client may send nothing of a body that is waited for. Default 30 s.
    pub body_timeout: Duration,
    /// How long it may take to send all of a body. Default 1 h.
    pub body_total_timeout: Duration,
    /// How long a client may take nothing of a response. Default 30 s.
    pub write_timeout: Duration,
    /// How long both bodies of an exchange may stand still once the response has
    /// begun. Default 5 min.
    pub stream_timeout: Duration,
    /// What clients may do with HTTP/2.
    pub http2: Http2Limits,
    /// How long connecting to an instance may take. Default 1 s.
    pub connect_timeout: Duration,
    /// Idle connections kept per worker and instance. Default 64.
    pub idle_connections: usize,
    /// How long an idle upstream connection is kept. Default 55 s.
    pub idle_timeout: Duration,
    /// How long a tunnel may be without a byte either way. Default 5 min.
    pub tunnel_idle_timeout: Duration,
    /// How long draining may take after SIGTERM. Default 30 s.
    pub drain_timeout: Duration,
    /// Entries that shared counters may hold in all. Default 1,000,000.
    pub counters: usize,
    /// Bytes that the shared store may hold in all. Default 64 MiB.
    pub store: usize,
}

/// A named upstream.
#[derive(Debug, Clone)]
pub struct Service {
    /// Unique name.
    pub name: String,
    /// Instances from the file; more may register.
    pub instances: Vec<Instance>,
    /// The plugin that picks. None: the instances are taken in turn.
    pub balancer: Option<Step>,
    /// Active health checks. None: instances count as healthy.
    pub health_check: Option<HealthCheck>,
    /// How instances are spoken to over TLS. None: they are not.
    pub tls: Option<ServiceTls>,
    /// The version of HTTP. Default: HTTP/1.1.
    pub protocol: Protocol,
    /// Where in the file it stands.
    pub at: Position,
}

/// One instance of a service, from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `host:port`; a name is resolved when the configuration is applied.
    pub address: String,
    /// Share of traffic relative to others. Default 1.
    pub weight: NonZeroU32,
    /// Labels for balancers.
    pub metadata: BTreeMap<String, String>,
    /// Where in the file it stands.
    pub at: Position,
}

/// Active health checks of a service's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path of the `GET`; 200 to 299 is healthy.
    pub path: String,
    /// Time between two checks of one instance. Default 10 s.
    pub interval: Duration,
    /// The longest a check may take. Default 1 s.
    pub timeout: Duration,
    /// Failures in a row until an instance is taken out. Default 3.
    pub unhealthy_after: NonZeroU32,
    /// Successes in a row until it is taken back. Default 2.
    pub healthy_after: NonZeroU32,
}

/// A route: what it matches and what happens.
#[derive(Debug, Clone)]
pub struct Route {
    /// Unique name.
    pub name: String,
    /// What it matches.
    pub matches: Match,
    /// Filters, in order.
    pub pipeline: Vec<Step>,
    /// The service, unless a filter chooses one.
    pub service: Option<String>,
    /// The whole exchange up to the response's head. Default 15 s.
    pub timeout: Duration,
    /// Whether and how a request is repeated.
    pub retries: Retries,
    /// The protocols that a request may change to, in lower case. Default: none.
    pub upgrades: Vec<String>,
    /// What holds for bodies.
    pub limits: RouteLimits,
    /// Where in the file it stands.
    pub at: Position,
}

/// What a route matches; what is not given matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// Exact host, or `*.example.com`. Lower-case, no port.
    pub host: Option<String>,
    /// Path pattern. None: every path.
    pub path: Option<PathPattern>,
    /// Methods. Empty: every method.
    pub methods: Vec<Method>,
    /// Headers that must have the value; `*`: must be there.
    pub headers: Vec<(HeaderName, String)>,
    /// Query parameters that must have the value; `*`: must be there.
    pub query: Vec<(String, String)>,
}

/// One use of a plugin: in a pipeline, or as a balancer.
#[derive(Debug, Clone)]
pub struct Step {
    /// The plugin's name.
    pub plugin: String,
    /// Its configuration; an empty object if none is given.
    pub config: PluginConfig,
    /// What happens if the plugin fails.
    pub on_error: OnError,
    /// Whether the gateway starts without the plugin, and answers 503 where it
    /// is missing. Never together with `OnError::Skip`.
    pub required: bool,
    /// Whether an instance serves many requests.
    pub isolation: Isolation,
    /// The capabilities lent to the plugin.
    pub allow: Allow,
    /// What it may use.
    pub limits: PluginLimits,
    /// Whose counters and stored values it sees. Default: the plugin's name.
    pub namespace: String,
    /// The time between two of its ticks, if the file says it. Default 10 s.
    pub tick: Option<Duration>,
    /// Its key in the file, such as `routes[0].pipeline[1]`.
    pub key: String,
    /// Where in the file it stands.
    pub at: Position,
}

impl Config {
    /// Every use of a plugin, each with the word and the name of what it is
    /// part of: (`route`, `users`) or (`service`, `users`).
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, &str, &Step)> {
        let filters = self.routes.iter().flat_map(|route| {
            let steps = route.pipeline.iter();
            steps.map(|step| ("route", route.name.as_str(), step))
        });
        let balancers = self.services.iter().filter_map(|service| {
            Some(("service", service.name.as_str(), service.balancer.as_ref()?))
        });
        filters.chain(balancers)
    }
}

/// A plugin's configuration with the positions of its parts.
#[derive(Debug, Clone)]
pub struct PluginConfig {
    /// The value, `${NAME}` already replaced.
    pub json: serde_json::Value,
    /// JSON pointer (RFC 6901) to position, for every part of the value.
    pub positions: BTreeMap<String, Position>,
    /// JSON pointers of the texts that came, in part, from the environment.
    pub interpolated: BTreeSet<String>,
    /// JSON pointers of the texts that refer to something missing, which is
    /// noted already; `json` has an empty text there.
    pub broken: BTreeSet<String>,
}

impl PluginConfig {
    /// The configuration of a step that gives none: an empty object.
    pub fn empty(at: Position) -> Self {
        Self {
            json: serde_json::json!({}),
            positions: BTreeMap::from([(String::new(), at)]),
            interpolated: BTreeSet::new(),
            broken: BTreeSet::new(),
        }
    }

    /// Where the part at this JSON pointer stands, or the nearest part around
    /// it that the file has.
    pub fn position(&self, pointer: &str) -> Option<Position> {
        let mut pointer = pointer;
        loop {
            if let Some(position) = self.positions.get(pointer) {
                return Some(*position);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }
}

/// What happens to a request when a filter fails on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It is answered 503. The default.
    #[default]
    Fail,
    /// It goes on as if the filter were not there.
    Skip,
}

/// Whether an instance of a plugin serves many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// One instance per worker, used again and again. The default.
    #[default]
    Reuse,
    /// A fresh instance for every request.
    PerRequest,
}
