//! One worker's plugin instances.

use std::{cell::RefCell, sync::Arc};

use crate::{
    observe::Limit,
    plugin::{Configured, Instance, PluginError, Quarantine, Work},
};

/// Index of a configured plugin in its snapshot, and of its instance in each
/// worker's `Slots`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotIndex(pub usize);

/// One instance, and what it can be made anew from.
pub struct Slot {
    configured: Arc<Configured>,
    /// That of `configured`, one step nearer.
    quarantine: Arc<Quarantine>,
    instance: RefCell<Option<Instance>>,
}

impl Slot {
    /// A slot with a ready instance.
    pub fn new(configured: Arc<Configured>, instance: Instance) -> Self {
        Self {
            quarantine: Arc::clone(configured.quarantine()),
            configured,
            instance: RefCell::new(Some(instance)),
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
            empty => empty.insert(self.configured.replacement()?),
        };
        let result = hook(instance);
        if instance.poisoned() {
            *place = None;
        }
        result
    }

    /// Whether the plugin is to be called.
    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    /// How many lines of failures were lost before one that may be logged now;
    /// none if this one is lost too.
    pub fn failure_line(&self) -> Option<u64> {
        self.configured.failure_line()
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
