//! One address of a service.

use std::{
    collections::BTreeMap, net::SocketAddr, num::NonZeroU32, ops::Deref, sync::Arc, time::Duration,
};

use super::gauges::Gauges;
use crate::upstream::Target;

/// Where an instance is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The configuration.
    File,
    /// A registration, which ends unless it is repeated.
    Registered,
}

/// One address of a service. Never changes: an instance with another weight is
/// another `Instance` with the same number and the same gauges.
#[derive(Debug)]
pub struct Instance {
    /// Unique in the process; stays while the service and the address do.
    pub number: u32,
    /// Unique within the service: the address itself for instances of the
    /// configuration, the id they registered with for others.
    pub id: Box<str>,
    /// Where requests go.
    pub address: SocketAddr,
    /// The same, and what is spoken there.
    pub target: Target,
    /// Share of traffic relative to others.
    pub weight: NonZeroU32,
    /// Labels for balancers.
    pub metadata: BTreeMap<String, String>,
    /// Where it is known from.
    pub source: Source,
    pub(super) gauges: Arc<Gauges>,
}

impl Instance {
    /// Requests of all workers that are at this instance now.
    pub fn in_flight(&self) -> u32 {
        self.gauges.in_flight()
    }

    /// Time to the response's head in microseconds: a moving average with a
    /// time constant of ten seconds, which fades while nothing is measured; 0
    /// if nothing was.
    pub fn latency_us(&self) -> u32 {
        self.gauges.latency_us()
    }

    /// False if health checks took it out. Instances begin healthy.
    pub fn healthy(&self) -> bool {
        self.gauges.healthy()
    }

    /// Counts a request as in flight until the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.gauges.begin();
        InFlight(Arc::clone(self))
    }

    /// Adds a time to the response's head to the average.
    pub fn record_latency(&self, latency: Duration) {
        self.gauges.record_latency(latency);
    }

    pub(super) fn alike(&self, other: &Self) -> bool {
        self.number == other.number
            && self.id == other.id
            && self.target == other.target
            && self.weight == other.weight
            && self.source == other.source
            && self.metadata == other.metadata
    }
}

/// A request in flight at an instance.
#[derive(Debug)]
#[must_use = "the request counts as over when this is dropped"]
pub struct InFlight(Arc<Instance>);

impl InFlight {
    /// The instance.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.0
    }
}

impl Deref for InFlight {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.gauges.end();
    }
}
