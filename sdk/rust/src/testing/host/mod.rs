//! The imports of the WIT package, in memory of one thread. Each module here
//! has the functions of the interface of its name, and keeps its rules.

pub(crate) mod balancing;
pub(crate) mod body;
pub(crate) mod counters;
pub(crate) mod crypto;
pub(crate) mod discovery;
pub(crate) mod exchange;
pub(crate) mod hooks;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod metrics;
mod rules;
pub(crate) mod store;

use std::{
    any::TypeId,
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use super::{HttpRequest, HttpResponse};
use crate::Instance;

/// What answers plugins' own requests.
type Handler = Rc<dyn Fn(&HttpRequest) -> HttpResponse>;

/// 2026-01-01T00:00:00Z, at which every window up to a day starts.
const START: Duration = Duration::from_secs(1_767_225_600);

/// All that a gateway would hold.
pub(super) struct State {
    pub(super) now: Duration,
    pub(super) counters: counters::Counters,
    pub(super) values: HashMap<String, store::Value>,
    pub(super) services: BTreeMap<String, Vec<Instance>>,
    /// Balancers that know the current list, by type, place and service.
    pub(super) announced: HashSet<(TypeId, usize, String)>,
    pub(super) loads: HashMap<u32, balancing::Load>,
    /// Hooks that the plugin configured last skips.
    pub(super) skipped: Vec<hooks::Hook>,
    /// Bodies likewise.
    pub(super) skipped_bodies: Vec<body::Side>,
    /// Whether `configure` runs.
    pub(super) configuring: bool,
    /// None: no request is allowed.
    pub(super) http: Option<Handler>,
    /// What plugins have asked.
    pub(super) asked: Vec<HttpRequest>,
    pub(super) lines: Vec<String>,
    pub(super) metrics: BTreeMap<metrics::Series, f64>,
    current: Option<exchange::Flight>,
}

impl State {
    fn new() -> Self {
        Self {
            now: START,
            counters: counters::Counters::default(),
            values: HashMap::new(),
            services: BTreeMap::new(),
            announced: HashSet::new(),
            loads: HashMap::new(),
            skipped: Vec::new(),
            skipped_bodies: Vec::new(),
            configuring: false,
            http: None,
            asked: Vec::new(),
            lines: Vec::new(),
            metrics: BTreeMap::new(),
            current: None,
        }
    }
}

std::thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::new());
}

/// Forgets everything.
pub(super) fn reset() {
    STATE.replace(State::new());
}

/// Looks at or changes what the gateway holds.
pub(super) fn with<T>(part: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(part)
}

/// The time on the gateway's clock.
pub(crate) fn now() -> Duration {
    with(|state| state.now)
}

/// Makes an exchange the one in flight.
pub(super) fn lend(flight: exchange::Flight) {
    with(|state| state.current = Some(flight));
}

/// Ends the hook.
pub(super) fn take_back() -> exchange::Flight {
    with(|state| state.current.take()).unwrap_or_default()
}

/// The name of the one service there is.
pub(super) fn only_service() -> Option<String> {
    with(|state| match state.services.len() {
        1 => state.services.keys().next().cloned(),
        _ => None,
    })
}

/// Looks at or changes the exchange in flight.
fn flight<T>(part: impl FnOnce(&mut exchange::Flight) -> T) -> T {
    with(|state| {
        let flight = state.current.as_mut();
        part(flight.expect("a trap: there is no exchange outside of its hooks"))
    })
}
