//! What is measured of the calls of plugins: a route's filters and a service's
//! balancer.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    exposition::{Exposition, Number, Type},
    histogram::nanos,
    stripes::Stripes,
};

/// A hook of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `request.on-request`.
    Request,
    /// `response.on-response`.
    Response,
    /// `completion.on-completion`.
    Completion,
    /// `request-body.on-request-body`.
    RequestBody,
    /// `response-body.on-response-body`.
    ResponseBody,
    /// `request-buffered.on-request-buffered`.
    RequestBuffered,
    /// `response-buffered.on-response-buffered`.
    ResponseBuffered,
    /// `balancer.instances-changed`.
    InstancesChanged,
    /// `balancer.pick`.
    Pick,
    /// `tick.on-tick`.
    Tick,
}

impl Hook {
    /// How many there are; a hook as a number is below it.
    pub const COUNT: usize = Self::ALL.len();

    const ALL: [Self; 10] = [
        Self::Request,
        Self::Response,
        Self::Completion,
        Self::RequestBody,
        Self::ResponseBody,
        Self::RequestBuffered,
        Self::ResponseBuffered,
        Self::InstancesChanged,
        Self::Pick,
        Self::Tick,
    ];

    /// Whether it is called for parts of bodies.
    pub fn is_of_chunks(self) -> bool {
        matches!(self, Self::RequestBody | Self::ResponseBody)
    }

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Completion => "completion",
            Self::RequestBody => "request_body",
            Self::ResponseBody => "response_body",
            Self::RequestBuffered => "request_buffered",
            Self::ResponseBuffered => "response_buffered",
            Self::InstancesChanged => "instances_changed",
            Self::Pick => "pick",
            Self::Tick => "tick",
        }
    }
}

/// The series of one step of a route. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct FilterMetrics(pub(super) Arc<CallSeries>);

impl FilterMetrics {
    /// A hook was called and took so long. Two atomic additions.
    pub fn called(&self, hook: Hook, took: Duration) {
        self.0.called(hook, took);
    }

    /// A call failed in this way, or was not made. One atomic addition; of ways there are few.
    pub fn failed(&self, kind: &'static str) {
        self.0.failed(kind);
    }

    /// The filter answered by itself. One atomic addition.
    pub fn answered(&self) {
        self.0
            .stripes
            .mine()
            .answers
            .fetch_add(1, Ordering::Relaxed);
    }
}

/// The series of one service's balancer. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct BalancerMetrics(pub(super) Arc<CallSeries>);

impl BalancerMetrics {
    /// A hook was called and took so long. Two atomic additions.
    pub fn called(&self, hook: Hook, took: Duration) {
        self.0.called(hook, took);
    }

    /// A call failed in this way, or was not made. One atomic addition; of ways there are few.
    pub fn failed(&self, kind: &'static str) {
        self.0.failed(kind);
    }
}

/// Calls of one plugin in one place.
#[derive(Debug)]
pub(super) struct CallSeries {
    /// Labels of the place: in front of others, and behind them.
    front: Vec<(&'static str, String)>,
    back: Vec<(&'static str, String)>,
    stripes: Stripes<Stripe>,
}

#[derive(Debug, Default)]
struct Stripe {
    calls: [AtomicU64; Hook::ALL.len()],
    nanos: [AtomicU64; Hook::ALL.len()],
    errors: Errors,
    answers: AtomicU64,
}

/// Errors by kind, in the order in which they first came.
#[derive(Debug, Default)]
pub(super) struct Errors([OnceLock<(&'static str, AtomicU64)>; 12]);

impl Errors {
    pub(super) fn count(&self, kind: &'static str) {
        let new = || (kind, AtomicU64::new(0));
        let places = self.0.iter().map(|place| place.get_or_init(new));
        // The last place is for whatever finds no other.
        let place = places.clone().find(|(of, _)| *of == kind);
        if let Some((_, count)) = place.or_else(|| places.last()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().filter_map(|place| {
            let (kind, count) = place.get()?;
            Some((*kind, count.load(Ordering::Relaxed)))
        })
    }
}

impl CallSeries {
    /// The filter at a position of a route's pipeline.
    pub(super) fn filter(route: &str, plugin: &str, position: usize) -> Self {
        Self {
            front: vec![("route", route.to_owned()), ("plugin", plugin.to_owned())],
            back: vec![("position", position.to_string())],
            stripes: Stripes::new(),
        }
    }

    /// A service's balancer.
    pub(super) fn balancer(service: &str, plugin: &str) -> Self {
        Self {
            front: vec![
                ("service", service.to_owned()),
                ("plugin", plugin.to_owned()),
            ],
            back: Vec::new(),
            stripes: Stripes::new(),
        }
    }

    fn called(&self, hook: Hook, took: Duration) {
        let stripe = self.stripes.mine();
        stripe.calls[hook as usize].fetch_add(1, Ordering::Relaxed);
        stripe.nanos[hook as usize].fetch_add(nanos(took), Ordering::Relaxed);
    }

    fn failed(&self, kind: &'static str) {
        self.stripes.mine().errors.count(kind);
    }

    fn sum(&self, of: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        let loaded = self
            .stripes
            .all()
            .map(|stripe| of(stripe).load(Ordering::Relaxed));
        loaded.sum()
    }

    fn errors(&self) -> Vec<(&'static str, u64)> {
        let mut sums: Vec<(&'static str, u64)> = Vec::new();
        for (kind, count) in self.stripes.all().flat_map(|stripe| stripe.errors.all()) {
            match sums.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, sum)) => *sum += count,
                None => sums.push((kind, count)),
            }
        }
        sums.retain(|(_, count)| *count > 0);
        sums
    }

    /// The labels, with one that depends on the sample in the middle.
    fn labels<'a>(&'a self, middle: Option<(&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
        let own = |(name, value): &'a (&'static str, String)| (*name, value.as_str());
        let front = self.front.iter().map(own);
        front
            .chain(middle)
            .chain(self.back.iter().map(own))
            .collect()
    }
}

/// Renders the families of all filters.
pub(super) fn render_filters(filters: &[Arc<CallSeries>], out: &mut Exposition) {
    render(filters, "filter", out);
    let name = "portcullis_filter_answers_total";
    out.family(
        name,
        Type::Counter,
        "Answers that a filter gave in place of the upstream.",
    );
    for series in filters {
        let count = series.sum(|stripe| &stripe.answers);
        if count > 0 {
            out.sample(name, &series.labels(None), Number::Count(count));
        }
    }
}

/// Renders the families of all balancers.
pub(super) fn render_balancers(balancers: &[Arc<CallSeries>], out: &mut Exposition) {
    render(balancers, "balancer", out);
}

/// Hooks that were never called have no lines.
fn render(all: &[Arc<CallSeries>], what: &str, out: &mut Exposition) {
    let calls = |series: &CallSeries, hook: Hook| series.sum(|stripe| &stripe.calls[hook as usize]);
    let called = || {
        all.iter().flat_map(|series| {
            let hooks = Hook::ALL
                .into_iter()
                .filter(|hook| calls(series, *hook) > 0);
            hooks.map(move |hook| (series, hook))
        })
    };
    let name = format!("portcullis_{what}_calls_total");
    out.family(&name, Type::Counter, "Calls of a plugin's hook.");
    for (series, hook) in called() {
        let labels = series.labels(Some(("hook", hook.as_str())));
        out.sample(&name, &labels, Number::Count(calls(series, hook)));
    }
    let name = format!("portcullis_{what}_duration_seconds_total");
    out.family(&name, Type::Counter, "Time spent in a plugin's hook.");
    for (series, hook) in called() {
        let nanos = series.sum(|stripe| &stripe.nanos[hook as usize]);
        let labels = series.labels(Some(("hook", hook.as_str())));
        out.sample(&name, &labels, Number::Nanos(nanos));
    }
    let name = format!("portcullis_{what}_errors_total");
    out.family(&name, Type::Counter, "Calls that failed, by kind.");
    for series in all {
        for (kind, count) in series.errors() {
            out.sample(
                &name,
                &series.labels(Some(("kind", kind))),
                Number::Count(count),
            );
        }
    }
}
