//! The gateway as a test sees it: its clock, its services, what was logged.

use std::{any::TypeId, marker::PhantomData, rc::Rc, time::Duration};

use super::{
    HttpRequest, HttpResponse, Instance, Request, TestExchange,
    host::{self, metrics::Series},
};
use crate::{Plugin, Side, hooks::Hook, plugin, random};

/// A gateway that exists in this thread only. See the [module](super).
#[derive(Debug)]
pub struct Gateway {
    thread: PhantomData<*const ()>,
}

/// An instance without labels, for [`Gateway::set_instances`].
pub fn instance(id: &str, address: &str, weight: u32) -> Instance {
    Instance {
        id: id.to_owned(),
        address: address.to_owned(),
        weight,
        metadata: Vec::new(),
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl Gateway {
    /// A fresh one: no counters, no services, no lines, the clock at
    /// 2026-01-01T00:00:00Z, random numbers from the start of their sequence.
    pub fn new() -> Self {
        host::reset();
        random::restart(0);
        Self {
            thread: PhantomData,
        }
    }

    /// An instance of a plugin, as the gateway makes one from a step's
    /// `config`.
    ///
    /// # Errors
    /// The text with which the configuration is refused.
    pub fn configure<P: Plugin>(&self, config: serde_json::Value) -> Result<P, String> {
        host::with(|state| {
            state.announced.clear();
            state.skipped.clear();
            state.skipped_bodies.clear();
            state.configuring = true;
        });
        let plugin = P::from_configuration(&config.to_string());
        host::with(|state| state.configuring = false);
        plugin.map_err(|error| error.to_string())
    }

    /// Runs the hook of the start.
    ///
    /// # Errors
    /// The text with which the configuration is refused.
    pub fn run_start<P: Plugin>(&self, plugin: &mut P) -> Result<(), String> {
        plugin.start().map_err(|error| error.to_string())
    }

    /// Runs the hook of the work in the background once. The clock is the
    /// test's to move. If it fails, the log says why.
    pub fn run_tick<P: Plugin>(&self, plugin: &mut P) {
        plugin::ticked(plugin.tick());
    }

    /// Allows plugins requests of their own, and answers them. Without it each is
    /// refused as `denied`.
    ///
    /// ```
    /// use portcullis_sdk::testing::*;
    /// use std::time::Duration;
    ///
    /// let gateway = Gateway::new();
    /// gateway.on_http(|request| match request.url() {
    ///     "https://id.example.com/keys" => HttpResponse::new(200).json(&json!({ "keys": [] })),
    ///     "https://slow.example.com/" => HttpResponse::new(200).delay(Duration::from_secs(3)),
    ///     _ => HttpResponse::error(portcullis_sdk::http::Error::Connect),
    /// });
    /// ```
    pub fn on_http(&self, answer: impl Fn(&HttpRequest) -> HttpResponse + 'static) {
        host::with(|state| state.http = Some(Rc::new(answer)));
    }

    /// What plugins have asked since the last call, in order.
    pub fn http_requests(&self) -> Vec<HttpRequest> {
        host::with(|state| std::mem::take(&mut state.asked))
    }

    /// The JSON Schema that a plugin gives of its configuration.
    pub fn schema<P: Plugin>(&self) -> serde_json::Value {
        serde_json::from_str(&P::schema()).expect("invariant: schemas are made as JSON")
    }

    /// A request in flight.
    pub fn exchange(&self, request: Request) -> TestExchange {
        TestExchange::new(request.flight)
    }

    /// The time on the gateway's clock, since the Unix epoch.
    pub fn now(&self) -> Duration {
        host::now()
    }

    /// Moves the clock: what `clock::now` says, and what lives no longer.
    pub fn advance(&self, time: Duration) {
        host::with(|state| state.now += time);
    }

    /// Starts the sequence of random numbers at another place.
    pub fn seed(&self, seed: u64) {
        random::restart(seed);
    }

    /// Adds a service without instances. As soon as a test names one service,
    /// a filter that chooses an unknown one is refused; before, any name goes.
    pub fn add_service(&self, name: &str) {
        host::with(|state| {
            state.services.entry(name.to_owned()).or_default();
        });
    }

    /// Sets the healthy instances of a service. As in a gateway they are in
    /// the order of their ids, which their indices follow.
    pub fn set_instances(&self, service: &str, instances: impl IntoIterator<Item = Instance>) {
        let mut instances: Vec<Instance> = instances.into_iter().collect();
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        host::with(|state| {
            state.services.insert(service.to_owned(), instances);
            state.announced.clear();
        });
    }

    /// Sets how many requests are at an instance.
    pub fn set_in_flight(&self, index: u32, requests: u32) {
        host::with(|state| state.loads.entry(index).or_default().in_flight = requests);
    }

    /// Sets an instance's average time to the response's head.
    pub fn set_latency_us(&self, index: u32, microseconds: u32) {
        host::with(|state| state.loads.entry(index).or_default().latency_us = microseconds);
    }

    /// Hands the instances of a service to a balancer. [`run_pick`](Self::run_pick)
    /// does so by itself when the list has changed.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn announce<P: Plugin>(&self, balancer: &mut P, service: &str) {
        announce(balancer, service);
    }

    /// Has a balancer pick for a request; none also if there is no instance
    /// to pick from. `attempt` above 0 is a retry: what `balancing::tried`
    /// says is up to [`Request::tried`].
    ///
    /// # Panics
    /// If the request names no service and there is not exactly one.
    pub fn run_pick<P: Plugin>(
        &self,
        balancer: &mut P,
        request: Request,
        attempt: u32,
    ) -> Option<u32> {
        self.exchange(request).run_pick(balancer, attempt)
    }

    /// The value of a metric that the plugin added to or set; none if it never
    /// did. The order of labels does not matter.
    pub fn metric<const N: usize>(&self, name: &str, labels: [(&str, &str); N]) -> Option<f64> {
        let series = Series::new(name, &labels);
        host::with(|state| state.metrics.get(&series).copied())
    }

    /// The hooks that the plugin configured last has no use for: a gateway
    /// would not call them.
    pub fn skipped(&self) -> Vec<Hook> {
        host::with(|state| state.skipped.clone())
    }

    /// The bodies that the plugin configured last has no use for.
    pub fn skipped_bodies(&self) -> Vec<Side> {
        host::with(|state| state.skipped_bodies.clone())
    }

    /// What was logged, in order, each line without its level.
    pub fn log_lines(&self) -> Vec<String> {
        host::with(|state| state.lines.clone())
    }
}

/// Hands the instances of a service to a balancer if they are news to it.
pub(super) fn announce_changes<P: Plugin>(balancer: &mut P, service: &str) {
    let listener = (
        TypeId::of::<P>(),
        (&raw const *balancer).addr(),
        service.to_owned(),
    );
    if host::with(|state| state.announced.insert(listener)) {
        announce(balancer, service);
    }
}

fn announce<P: Plugin>(balancer: &mut P, service: &str) {
    let instances = host::discovery::instances(service)
        .unwrap_or_else(|| panic!("there is no service `{service}`: call `set_instances` first"));
    balancer.instances(instances);
}
