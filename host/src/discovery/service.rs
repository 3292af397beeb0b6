//! A named upstream: its members, and the list of those that may be picked.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

use super::{
    gauges::{Gauges, Transition},
    instance::{Instance, Source},
    registration::{RegisterError, Registered, Registration},
    resolve::Resolved,
    speech::Speech,
};
use crate::{config::HealthCheck, upstream::Target};

/// Registered instances that one service may have.
const MAX_REGISTERED: usize = 1_000;

/// A service's instances that may be picked, at one time.
#[derive(Debug)]
pub struct InstanceList {
    /// Grows with every change of the service's list.
    pub version: u64,
    /// Registered or from the file, and healthy; ordered by id. May be empty.
    pub instances: Vec<Arc<Instance>>,
}

/// A named upstream. Lives as long as the configuration has one of its name.
#[derive(Debug)]
pub struct Service {
    name: Box<str>,
    list: ArcSwap<InstanceList>,
    /// That of `list`, to be looked at without touching it.
    version: AtomicU64,
    members: Mutex<Members>,
}

/// An instance of a service, healthy or not.
#[derive(Debug, Clone)]
pub struct Member {
    /// The instance.
    pub instance: Arc<Instance>,
    /// When its registration ends; none for instances of the configuration.
    pub expires: Option<Instant>,
}

#[derive(Debug, Default)]
struct Members {
    health_check: Option<HealthCheck>,
    speech: Speech,
    by_id: ById,
}

type ById = BTreeMap<Box<str>, Member>;

impl Service {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            list: ArcSwap::from_pointee(InstanceList {
                version: 0,
                instances: Vec::new(),
            }),
            version: AtomicU64::new(0),
            members: Mutex::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instances that may be picked now. Lock-free; on a worker prefer a
    /// [`Watch`], which is cheaper.
    pub fn list(&self) -> Arc<InstanceList> {
        self.list.load_full()
    }

    /// All instances, ordered by id. Takes a lock: not for a request's path.
    pub fn members(&self) -> Vec<Member> {
        self.lock().by_id.values().cloned().collect()
    }

    pub(super) fn health_check(&self) -> Option<HealthCheck> {
        self.lock().health_check.clone()
    }

    /// Makes the instances of the configuration what they are now. Registered
    /// ones stay, unless the configuration now has their id or address itself.
    pub(super) fn configure(
        &self,
        check: Option<&HealthCheck>,
        speech: Speech,
        resolved: Vec<Resolved>,
        numbers: &AtomicU32,
    ) {
        let mut members = self.lock();
        members.health_check = check.cloned();
        members.speech = speech;
        let before = std::mem::take(&mut members.by_id);
        for Resolved {
            target,
            weight,
            metadata,
        } in resolved
        {
            let instance = Instance {
                id: target.address().to_string().into(),
                weight,
                metadata,
                source: Source::File,
                ..blank(target, &before, numbers)
            };
            members.insert(settle(instance, &before), None);
        }
        for (id, member) in before {
            if member.expires.is_some() && members.admit(&id, member.instance.address).is_ok() {
                let member = members.respoken(member);
                members.by_id.insert(id, member);
            }
        }
        if check.is_none() {
            members.reset_health();
        }
        self.publish(&members);
    }

    pub(super) fn register(
        &self,
        id: &str,
        registration: Registration,
        ttl: Duration,
        numbers: &AtomicU32,
    ) -> Result<Registered, RegisterError> {
        let mut members = self.lock();
        members.admit(id, registration.address)?;
        let created = !members.by_id.contains_key(id);
        let target = members.speech.nameless(registration.address);
        let instance = Instance {
            id: id.into(),
            weight: registration.weight,
            metadata: registration.metadata,
            source: Source::Registered,
            ..blank(target, &members.by_id, numbers)
        };
        let instance = settle(instance, &members.by_id);
        members.insert(instance, Some(Instant::now() + ttl));
        self.publish(&members);
        Ok(Registered {
            created,
            expires_in: ttl,
        })
    }

    pub(super) fn deregister(&self, id: &str) -> Result<(), RegisterError> {
        let mut members = self.lock();
        match members.by_id.get(id) {
            None => return Err(RegisterError::UnknownInstance(id.to_owned())),
            Some(member) if member.expires.is_none() => return Err(RegisterError::FromFile),
            Some(_) => members.by_id.remove(id),
        };
        self.publish(&members);
        Ok(())
    }

    /// Removes registrations that have run out by `now`, and returns them.
    pub(super) fn expire(&self, now: Instant) -> Vec<Arc<Instance>> {
        let mut members = self.lock();
        let over = |member: &Member| member.expires.is_some_and(|expires| expires <= now);
        let expired: Vec<_> = members
            .by_id
            .extract_if(.., |_, member| over(member))
            .map(|(_, member)| member.instance)
            .collect();
        if !expired.is_empty() {
            self.publish(&members);
        }
        expired
    }

    /// Takes note of a health check, and of what follows from it.
    pub(super) fn checked(&self, instance: &Instance, passed: bool) -> Option<Transition> {
        let members = self.lock();
        let check = members.health_check.as_ref()?;
        let transition = instance.gauges.checked(passed, check);
        if transition.is_some() {
            self.publish(&members);
        }
        transition
    }

    /// Replaces the list if it would be another. The lock on the members is
    /// what makes the versions follow each other.
    fn publish(&self, members: &Members) {
        let instances: Vec<_> = members
            .by_id
            .values()
            .map(|member| &member.instance)
            .filter(|instance| instance.healthy())
            .cloned()
            .collect();
        let current = self.list.load();
        let same = |(a, b): (&Arc<Instance>, &Arc<Instance>)| Arc::ptr_eq(a, b);
        if current.instances.len() == instances.len()
            && current.instances.iter().zip(&instances).all(same)
        {
            return;
        }
        let version = current.version + 1;
        self.list
            .store(Arc::new(InstanceList { version, instances }));
        self.version.store(version, Release);
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    /// Whether a registration may have this id and this address.
    fn admit(&self, id: &str, address: SocketAddr) -> Result<(), RegisterError> {
        let known = self.by_id.get(id);
        if known.is_some_and(|member| member.expires.is_none()) {
            return Err(RegisterError::FromFile);
        }
        let registered = self.by_id.values().filter(|m| m.expires.is_some()).count();
        if known.is_none() && registered >= MAX_REGISTERED {
            return Err(RegisterError::Full);
        }
        let holder = self
            .by_id
            .values()
            .find(|member| member.instance.address == address && &*member.instance.id != id);
        match holder {
            Some(holder) => Err(RegisterError::AddressTaken(holder.instance.id.clone())),
            None => Ok(()),
        }
    }

    /// A registered instance, spoken to as the service is now.
    fn respoken(&self, member: Member) -> Member {
        let target = self.speech.nameless(member.instance.address);
        if target == member.instance.target {
            return member;
        }
        let Member { instance, expires } = member;
        let instance = Arc::new(Instance {
            number: instance.number,
            id: instance.id.clone(),
            address: instance.address,
            target,
            weight: instance.weight,
            metadata: instance.metadata.clone(),
            source: instance.source,
            gauges: Arc::clone(&instance.gauges),
        });
        Member { instance, expires }
    }

    fn insert(&mut self, instance: Arc<Instance>, expires: Option<Instant>) {
        let id = instance.id.clone();
        self.by_id.insert(id, Member { instance, expires });
    }

    fn reset_health(&self) {
        for member in self.by_id.values() {
            member.instance.gauges.reset_health();
        }
    }
}

/// An instance with the number and the gauges that its address has or gets.
fn blank(target: Target, before: &ById, numbers: &AtomicU32) -> Instance {
    let address = target.address();
    let known = before
        .values()
        .find(|member| member.instance.address == address);
    let (number, gauges) = match known {
        Some(Member { instance, .. }) => (instance.number, instance.gauges.clone()),
        None => (numbers.fetch_add(1, Relaxed), Arc::new(Gauges::new())),
    };
    Instance {
        number,
        id: Box::default(),
        address,
        target,
        weight: NonZeroU32::MIN,
        metadata: BTreeMap::new(),
        source: Source::File,
        gauges,
    }
}

/// The very instance that was there before, if nothing of it changed, so that
/// the list does not change either.
fn settle(instance: Instance, before: &ById) -> Arc<Instance> {
    match before.get(&instance.id) {
        Some(known) if known.instance.alike(&instance) => known.instance.clone(),
        _ => Arc::new(instance),
    }
}

/// A worker's view of a service: one atomic load while nothing changes.
#[derive(Debug)]
pub struct Watch {
    service: Arc<Service>,
    list: Arc<InstanceList>,
}

impl Watch {
    /// A view of the service.
    pub fn new(service: Arc<Service>) -> Self {
        let list = service.list();
        Self { service, list }
    }

    /// The service.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// The list as it is now. Compare its version to see a change.
    pub fn list(&mut self) -> &Arc<InstanceList> {
        if self.service.version.load(Acquire) != self.list.version {
            self.list = self.service.list();
        }
        &self.list
    }
}
