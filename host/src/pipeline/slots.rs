//! One worker's plugin instances.

use std::{cell::RefCell, sync::Arc};

use crate::{
    exchange::Side,
    observe::Limit,
    plugin::{Configured, Instance, PluginError, Quarantine, Room, Tempo, Work},
};

use super::aside::Aside;

/// Instances that a slot keeps for calls that wait, besides the one that every
/// slot has. What is above that was made for a crowd, and goes with it.
const KEPT: usize = 7;

/// Index of a configured plugin in its snapshot, and of its instance in each
/// worker's `Slots`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotIndex(pub usize);

/// One instance, and what it can be made anew from. Of a plugin that waits,
/// there are as many as calls at work, and a few that are idle.
pub struct Slot {
    configured: Arc<Configured>,
    /// Those of `configured`, one step nearer.
    quarantine: Arc<Quarantine>,
    tempo: Arc<Tempo>,
    instance: RefCell<Option<Instance>>,
    /// Further ones that are idle. The one used last is taken first.
    more: RefCell<Vec<Instance>>,
    /// What is aside while the plugin takes long.
    aside: Aside,
}

impl Slot {
    /// A slot with a ready instance.
    pub fn new(configured: Arc<Configured>, instance: Instance) -> Self {
        Self {
            quarantine: Arc::clone(configured.quarantine()),
            tempo: Arc::clone(configured.quarantine().tempo()),
            configured,
            instance: RefCell::new(Some(instance)),
            more: RefCell::default(),
            aside: Aside::default(),
        }
    }

    /// Calls the instance. One that a trap or a deadline has poisoned is
    /// dropped, and the next call takes a fresh one.
    pub fn call<T>(
        &self,
        hook: impl FnOnce(&mut Instance) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let mut place = self.instance.borrow_mut();
        let instance = match &mut *place {
            Some(instance) => instance,
            empty => empty.insert(self.fresh()?),
        };
        let result = hook(instance);
        if instance.poisoned() {
            *place = None;
        }
        result
    }

    /// An instance where there is none: the one that was aside, or a new one.
    #[cold]
    fn fresh(&self) -> Result<Instance, PluginError> {
        match self.aside.take() {
            Some(instance) => Ok(instance),
            None => self.configured.replacement(),
        }
    }

    /// Takes an instance for a call that waits, an idle one or a fresh one. It is
    /// back when the lease is dropped.
    ///
    /// # Errors
    ///
    /// As `Configured::admit` and `instantiate`.
    pub fn lease(&self) -> Result<Lease<'_>, PluginError> {
        let room = self.configured.admit()?;
        let idle = self.more.borrow_mut().pop();
        let idle = idle.or_else(|| self.take());
        let instance = match idle {
            Some(instance) => instance,
            None => self.configured.instantiate()?,
        };
        Ok(Lease {
            slot: self,
            instance: Some(instance),
            _room: room,
        })
    }

    /// Keeps an instance, if it can be called and is not one too many.
    fn keep(&self, instance: Instance) {
        if instance.poisoned() {
            return;
        }
        let mut place = self.instance.borrow_mut();
        let mut more = self.more.borrow_mut();
        if place.is_none() {
            *place = Some(instance);
        } else if more.len() < KEPT {
            more.push(instance);
        }
    }

    /// How many instances are idle.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        usize::from(!self.is_empty()) + self.more.borrow().len()
    }

    /// Whether the plugin is to be called.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// What its instances are made from.
    pub(super) fn configured(&self) -> &Arc<Configured> {
        &self.configured
    }

    /// True if the plugin takes long, so that it is to be called aside. One
    /// relaxed load.
    #[inline]
    pub fn is_slow(&self) -> bool {
        self.tempo.is_slow()
    }

    /// What it has aside.
    pub(super) fn aside(&self) -> &Aside {
        &self.aside
    }

    /// The instance, if it is there.
    fn take(&self) -> Option<Instance> {
        self.instance.borrow_mut().take()
    }

    /// The instance, to be called aside from now on. One that sees bodies stream
    /// by stays here, since it may have seen the beginning of some.
    pub(super) fn move_aside(&self) -> Option<Instance> {
        let hooks = self.configured.plugin().hooks();
        let streams = [Side::Request, Side::Response].map(|side| hooks.streams(side));
        match streams.contains(&true) {
            true => None,
            false => self.take(),
        }
    }

    /// Counts that the plugin met one of its limits.
    pub fn limited(&self, limit: Limit) {
        self.configured.limited(limit);
    }

    /// A fresh instance that is the caller's alone.
    pub fn isolated(&self) -> Result<Instance, PluginError> {
        self.configured.isolated()
    }

    /// What the instance has done, where that is counted; none if there is no
    /// instance.
    pub fn work(&self) -> Option<Work> {
        self.instance.borrow().as_ref().map(Instance::work)
    }

    /// True if the slot waits for a fresh instance.
    pub fn is_empty(&self) -> bool {
        self.instance.borrow().is_none()
    }
}

/// An instance that is at work for one call.
pub struct Lease<'a> {
    slot: &'a Slot,
    /// There until the drop.
    instance: Option<Instance>,
    _room: Room,
}

impl Lease<'_> {
    /// The instance.
    pub fn instance(&mut self) -> &mut Instance {
        (self.instance.as_mut()).expect("invariant: only the drop takes the instance")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.slot.keep(instance);
        }
    }
}

/// All of one worker's instances, by `SlotIndex`.
#[derive(Default)]
pub struct Slots(Box<[Slot]>);

impl Slots {
    /// Slots in the order of their indices.
    pub fn new(slots: Vec<Slot>) -> Self {
        Self(slots.into_boxed_slice())
    }

    /// The slot of an index from the same snapshot.
    pub fn slot(&self, index: SlotIndex) -> &Slot {
        &self.0[index.0]
    }
}
