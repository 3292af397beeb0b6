//! One configuration plus one generation of plugins, in the immutable form
//! that requests use, and the swap that makes one current.
//!
//! Built off the workers by `gateway` (`Builder`); read by `proxy` through a
//! worker's `Local`. Everything that changes while traffic flows (counters,
//! health, connections) lives elsewhere and is only referred to.

mod build;
mod current;
mod filters;
mod library;
mod seat;
mod start;
mod status;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use build::{Builder, Draft};
pub use current::Current;
pub use library::Library;
pub use seat::Seat;
pub use status::{LastReload, Status};

use crate::{
    config::{Config, Retries, RouteLimits},
    exchange::{RouteIndex, ServiceIndex},
    observe::RouteMetrics,
    pipeline::{Pipeline, Tick},
    plugin::{Configured, Plugin, Quarantine},
    router::Router,
    tls,
};

/// One configuration plus one generation of plugins.
pub struct Snapshot {
    /// Counts up with every swap.
    pub generation: u64,
    /// The configuration it was built from.
    pub config: Arc<Config>,
    /// The plugins that it uses.
    pub plugins: Vec<Arc<Plugin>>,
    /// Required plugins that are not there or do not load, and why: what needs
    /// them answers 503.
    pub missing: BTreeMap<String, String>,
    /// What TLS is spoken with, to clients and services.
    pub tls: tls::Settings,
    /// Finds the route of a request.
    pub router: Router,
    routes: Box<[Route]>,
    ticks: Box<[Tick]>,
    upgrades: bool,
    /// What a worker's instances are made from, for the spares.
    configured: Vec<Arc<Configured>>,
    seats: Box<[Seat]>,
}

/// A route in its runtime form.
pub struct Route {
    /// The filters.
    pub pipeline: Pipeline,
    /// Where requests go unless a filter says otherwise.
    pub service: Option<ServiceIndex>,
    /// The longest a request may take up to the response's head.
    pub timeout: Duration,
    /// Whether and how a request is repeated.
    pub retries: Retries,
    /// The protocols that a request may change to, in lower case.
    pub upgrades: Box<[String]>,
    /// A plugin may ask for the parameters of the path.
    pub keeps_parameters: bool,
    /// What holds for bodies.
    pub limits: RouteLimits,
    /// The request's head is needed after it was sent: for a retry, or by a
    /// filter on the way back.
    pub keeps_request_head: bool,
    /// The response's head is needed after it was sent, by a completion hook.
    pub keeps_response_head: bool,
    /// Requests, durations, in flight.
    pub metrics: RouteMetrics,
}

impl Snapshot {
    /// A route by the index that this snapshot's router gave.
    pub fn route(&self, index: RouteIndex) -> &Route {
        &self.routes[index.0 as usize]
    }

    /// All routes, in the order of the configuration.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Route> {
        self.routes.iter()
    }

    /// Whether requests of any route may change to another protocol.
    pub fn has_upgrades(&self) -> bool {
        self.upgrades
    }

    /// The filters that work in the background, on one worker.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// Makes a spare instance of every plugin configuration that has none, for
    /// the worker whose own instance traps. Blocks.
    pub fn refill_spares(&self) {
        for configured in &self.configured {
            if let Err(error) = configured.refill() {
                tracing::warn!(plugin = %error.plugin, "no spare instance: {error}");
            }
        }
    }

    /// Whether each of its plugin configurations may be called.
    pub fn quarantines(&self) -> impl Iterator<Item = &Quarantine> {
        self.configured.iter().map(|of| &**of.quarantine())
    }

    /// What one worker takes of this snapshot, once.
    pub fn seat(&self, worker: usize) -> &Seat {
        &self.seats[worker]
    }
}
