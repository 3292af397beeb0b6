//! What is made ready for one worker before a snapshot becomes current.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    discovery::{Service, Watch},
    observe::BalancerMetrics,
    pipeline::{Balancer, Chooser, Slot, Slots},
    plugin::{Configured, Instance, PluginError},
};

/// A plugin configuration, and an instance of it that waits for its worker.
pub(super) struct Ready {
    pub(super) configured: Arc<Configured>,
    pub(super) instance: Instance,
}

impl Ready {
    pub(super) fn new(configured: &Arc<Configured>) -> Result<Self, PluginError> {
        Ok(Self {
            configured: Arc::clone(configured),
            instance: configured.instantiate()?,
        })
    }

    fn into_slot(self) -> Slot {
        Slot::new(self.configured, self.instance)
    }
}

/// A service, and the instance of its balancer that waits for its worker.
pub(super) struct ReadyService {
    pub(super) service: Arc<Service>,
    pub(super) balancer: Chooser<(Ready, BalancerMetrics)>,
}

impl ReadyService {
    fn into_balancer(self) -> Balancer {
        Balancer::new(
            Watch::new(self.service),
            self.balancer
                .map(|(ready, metrics)| (ready.into_slot(), metrics)),
        )
    }
}

/// What one worker takes of a snapshot. The lock is held once per worker and
/// snapshot, never by two.
pub struct Seat(Mutex<(Vec<Ready>, Vec<ReadyService>)>);

impl Seat {
    pub(super) fn new(filters: Vec<Ready>, services: Vec<ReadyService>) -> Self {
        Self(Mutex::new((filters, services)))
    }

    /// Takes all of it; a second call finds nothing.
    pub fn take(&self) -> (Slots, Box<[Balancer]>) {
        let mut seat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (filters, services) = std::mem::take(&mut *seat);
        let slots = filters.into_iter().map(Ready::into_slot).collect();
        let balancers = services.into_iter().map(ReadyService::into_balancer);
        (Slots::new(slots), balancers.collect())
    }
}
