//! What is measured of a route.

use std::{
    iter,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    exposition::{Exposition, Number, Type},
    histogram::{self, Histogram},
    stripes::Stripes,
};

/// A route's series. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct RouteMetrics(pub(super) Arc<RouteSeries>);

#[derive(Debug)]
pub(super) struct RouteSeries {
    route: String,
    stripes: Stripes<Stripe>,
}

#[derive(Debug, Default)]
struct Stripe {
    /// Requests begun here less those ended here: may be negative, but the sum
    /// over all stripes is what is in flight.
    in_flight: AtomicI64,
    retries: AtomicU64,
    statuses: Statuses,
    durations: Histogram,
    tunnels: Tunnels,
}

/// What is counted of connections that have changed their protocol.
#[derive(Debug, Default)]
struct Tunnels {
    /// As `in_flight`.
    open: AtomicI64,
    ever: AtomicU64,
    from_clients: AtomicU64,
    to_clients: AtomicU64,
}

impl RouteMetrics {
    /// A request has been routed here. One atomic addition.
    pub fn started(&self) {
        let stripe = self.0.stripes.mine();
        stripe.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that was started has ended with this status (0 if none was
    /// sent) after this time. Four atomic additions.
    pub fn finished(&self, status: u16, duration: Duration) {
        let stripe = self.0.stripes.mine();
        stripe.in_flight.fetch_sub(1, Ordering::Relaxed);
        stripe.statuses.count(status);
        stripe.durations.observe(duration);
    }

    /// A request has become a tunnel. Two atomic additions.
    pub fn tunnel_opened(&self) {
        let tunnels = &self.0.stripes.mine().tunnels;
        tunnels.open.fetch_add(1, Ordering::Relaxed);
        tunnels.ever.fetch_add(1, Ordering::Relaxed);
    }

    /// A tunnel has ended. One atomic addition.
    pub fn tunnel_closed(&self) {
        let tunnels = &self.0.stripes.mine().tunnels;
        tunnels.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Bytes have passed a tunnel, from its client and to it. Two atomic
    /// additions.
    pub fn tunnelled(&self, from_client: u64, to_client: u64) {
        let tunnels = &self.0.stripes.mine().tunnels;
        tunnels
            .from_clients
            .fetch_add(from_client, Ordering::Relaxed);
        tunnels.to_clients.fetch_add(to_client, Ordering::Relaxed);
    }

    /// A request goes upstream once more. One atomic addition.
    pub fn retried(&self) {
        self.0
            .stripes
            .mine()
            .retries
            .fetch_add(1, Ordering::Relaxed);
    }
}

impl RouteSeries {
    pub(super) fn new(route: String) -> Self {
        Self {
            route,
            stripes: Stripes::new(),
        }
    }

    /// Counts a status alone, for requests that have no route.
    pub(super) fn count(&self, status: u16) {
        self.stripes.mine().statuses.count(status);
    }

    fn sum(&self, of: impl Fn(&Stripe) -> u64) -> u64 {
        self.stripes.all().map(of).sum()
    }
}

/// Counts by status code: those of a class are made when its first one comes.
#[derive(Debug, Default)]
struct Statuses([OnceLock<Box<[AtomicU64]>>; 6]);

const CLASS: usize = 100;

impl Statuses {
    /// One atomic addition. What is no status counts as 0, like none.
    fn count(&self, status: u16) {
        let status = match usize::from(status) {
            status @ CLASS..600 => status,
            _ => 0,
        };
        let new = || iter::repeat_with(AtomicU64::default).take(CLASS).collect();
        let class = self.0[status / CLASS].get_or_init(new);
        class[status % CLASS].fetch_add(1, Ordering::Relaxed);
    }

    fn counted(&self, status: usize) -> u64 {
        let class = self.0[status / CLASS].get();
        class.map_or(0, |class| class[status % CLASS].load(Ordering::Relaxed))
    }
}

/// Renders the families of all routes.
pub(super) fn render(routes: &[Arc<RouteSeries>], out: &mut Exposition) {
    let name = "portcullis_requests_total";
    out.family(
        name,
        Type::Counter,
        "Requests by route (empty: none matched) and status sent (0: none).",
    );
    for route in routes {
        for status in 0..600 {
            let count = route.sum(|stripe| stripe.statuses.counted(status));
            if count > 0 {
                let labels = [("route", &*route.route), ("status", &status.to_string())];
                out.sample(name, &labels, Number::Count(count));
            }
        }
    }
    let routes: Vec<_> = routes
        .iter()
        .filter(|route| !route.route.is_empty())
        .collect();
    let name = "portcullis_requests_in_flight";
    out.family(
        name,
        Type::Gauge,
        "Requests that have no complete answer yet.",
    );
    for route in &routes {
        let of = |stripe: &Stripe| stripe.in_flight.load(Ordering::Relaxed);
        let level = route.stripes.all().map(of).sum();
        out.sample(name, &[("route", &route.route)], Number::Level(level));
    }
    let name = "portcullis_retries_total";
    out.family(
        name,
        Type::Counter,
        "Requests that were sent upstream once more.",
    );
    for route in &routes {
        let count = route.sum(|stripe| stripe.retries.load(Ordering::Relaxed));
        out.sample(name, &[("route", &route.route)], Number::Count(count));
    }
    tunnels(&routes, out);
    let name = "portcullis_request_duration_seconds";
    out.family(
        name,
        Type::Histogram,
        "From a request's first byte to its answer's last.",
    );
    for route in &routes {
        durations(name, route, out);
    }
}

/// Of routes that have had a tunnel.
fn tunnels(routes: &[&Arc<RouteSeries>], out: &mut Exposition) {
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let routes: Vec<_> = (routes.iter())
        .filter(|route| route.sum(|stripe| count(&stripe.tunnels.ever)) > 0)
        .collect();
    let name = "portcullis_tunnels";
    let help = "Requests that have changed to another protocol and go on.";
    out.family(name, Type::Gauge, help);
    for route in &routes {
        let of = |stripe: &Stripe| stripe.tunnels.open.load(Ordering::Relaxed);
        let level = route.stripes.all().map(of).sum();
        out.sample(name, &[("route", &route.route)], Number::Level(level));
    }
    let name = "portcullis_tunnels_total";
    let help = "Requests that have changed to another protocol.";
    out.family(name, Type::Counter, help);
    for route in &routes {
        let number = Number::Count(route.sum(|stripe| count(&stripe.tunnels.ever)));
        out.sample(name, &[("route", &route.route)], number);
    }
    let name = "portcullis_tunnel_bytes_total";
    let help = "Bytes that have passed tunnels, from clients (in) and to them (out).";
    out.family(name, Type::Counter, help);
    for route in &routes {
        let ways = [
            (
                "in",
                route.sum(|stripe| count(&stripe.tunnels.from_clients)),
            ),
            ("out", route.sum(|stripe| count(&stripe.tunnels.to_clients))),
        ];
        for (direction, bytes) in ways {
            let labels = [("route", &*route.route), ("direction", direction)];
            out.sample(name, &labels, Number::Count(bytes));
        }
    }
}

/// A route's histogram, once it has had requests.
fn durations(name: &str, route: &RouteSeries, out: &mut Exposition) {
    let sums = histogram::sum(&route.stripes, |stripe| &stripe.durations);
    let route = ("route", &*route.route);
    let total = sums.up_to[sums.up_to.len() - 1].1;
    if total == 0 {
        return;
    }
    let bucket = format!("{name}_bucket");
    for (bound, count) in sums.up_to {
        out.sample(&bucket, &[route, ("le", bound)], Number::Count(count));
    }
    out.sample(&format!("{name}_sum"), &[route], Number::Nanos(sums.nanos));
    out.sample(&format!("{name}_count"), &[route], Number::Count(total));
}
