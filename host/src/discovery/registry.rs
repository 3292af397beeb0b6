//! All services, once per process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    time::Instant,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{
    registration::{self, RegisterError, Registered, Registration},
    resolve::{ResolveError, resolve},
    service::Service,
    speech::Speech,
};
use crate::{config, tls::Clients};

/// All services. Reading takes no lock; changes exclude each other.
#[derive(Debug)]
pub struct Registry {
    services: ArcSwap<BTreeMap<Box<str>, Arc<Service>>>,
    change: Mutex<()>,
    /// The number that the next new instance gets.
    numbers: AtomicU32,
    /// Told of every change of the members of a service.
    changed: watch::Sender<()>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry without services.
    pub fn new() -> Self {
        Self {
            services: ArcSwap::default(),
            change: Mutex::new(()),
            numbers: AtomicU32::new(0),
            changed: watch::Sender::new(()),
        }
    }

    /// Makes the services those of a configuration. What stays keeps its
    /// gauges, its health and its registrations. `clients` has the TLS settings
    /// of those services that have some. Resolves names, so it blocks:
    /// not for a worker, nor for the control thread's event loop.
    ///
    /// # Errors
    ///
    /// Every instance that cannot be used; then nothing was changed.
    pub fn apply(
        &self,
        services: &[config::Service],
        clients: &Clients,
    ) -> Result<(), Vec<ResolveError>> {
        let mut errors = Vec::new();
        let resolved: Vec<_> = services
            .iter()
            .map(|service| {
                let speech = speech(service, clients, &mut errors);
                let resolved = resolve(service, &speech, &mut errors);
                (service, speech, resolved)
            })
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let _change = self.lock();
        let before = self.services.load();
        let mut after = BTreeMap::new();
        for (config, speech, resolved) in resolved {
            let service = before
                .get(&*config.name)
                .cloned()
                .unwrap_or_else(|| Arc::new(Service::new(&config.name)));
            let check = config.health_check.as_ref();
            service.configure(check, speech, resolved, &self.numbers);
            after.insert(config.name.as_str().into(), service);
        }
        self.services.store(Arc::new(after));
        self.changed.send_replace(());
        Ok(())
    }

    /// A service by name.
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.services.load().get(name).cloned()
    }

    /// All services, ordered by name.
    pub fn services(&self) -> Vec<Arc<Service>> {
        self.services.load().values().cloned().collect()
    }

    /// Registers an instance, or repeats its registration, which is its
    /// heartbeat. It may be picked at once: it just said that it lives, and
    /// health checks take it out if that is not so. A repetition changes
    /// nothing about health.
    ///
    /// # Errors
    ///
    /// See [`RegisterError`].
    pub fn register(
        &self,
        service: &str,
        id: &str,
        registration: Registration,
    ) -> Result<Registered, RegisterError> {
        let ttl = registration::check(id, &registration)?;
        let address = registration.address;
        let _change = self.lock();
        let registered = self
            .known(service)?
            .register(id, registration, ttl, &self.numbers)?;
        if registered.created {
            tracing::info!(service, instance = id, %address, "instance registered");
        }
        self.changed.send_replace(());
        Ok(registered)
    }

    /// Ends a registration.
    ///
    /// # Errors
    ///
    /// If there is no such service or instance, or it is not a registered one.
    pub fn deregister(&self, service: &str, id: &str) -> Result<(), RegisterError> {
        let _change = self.lock();
        self.known(service)?.deregister(id)?;
        tracing::info!(service, instance = id, "instance deregistered");
        self.changed.send_replace(());
        Ok(())
    }

    /// Ends the registrations whose time is over, and says how many there
    /// were. To be called about once a second.
    pub fn expire(&self, now: Instant) -> usize {
        let _change = self.lock();
        let mut count = 0;
        for service in self.services() {
            for instance in service.expire(now) {
                count += 1;
                tracing::warn!(
                    service = service.name(),
                    instance = &*instance.id,
                    address = %instance.address,
                    "registration ended without a heartbeat"
                );
            }
        }
        if count > 0 {
            self.changed.send_replace(());
        }
        count
    }

    /// Something to wait on for changes of any service's members.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn known(&self, service: &str) -> Result<Arc<Service>, RegisterError> {
        self.service(service)
            .ok_or_else(|| RegisterError::UnknownService(service.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn speech(service: &config::Service, clients: &Clients, errors: &mut Vec<ResolveError>) -> Speech {
    Speech::of(service, clients).unwrap_or_else(|message| {
        errors.push(ResolveError {
            service: service.name.clone(),
            address: "tls".to_owned(),
            message: message.to_owned(),
            at: service.at,
        });
        Speech::default()
    })
}

#[cfg(test)]
mod tests;
