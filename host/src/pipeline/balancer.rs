//! Picks an instance of a service: one worker's side of a balancer plugin.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use crate::{
    discovery::{Instance, Watch},
    exchange::Exchange,
    respond::Error,
};

use super::Slot;

/// One worker's balancer of one service.
pub struct Balancer {
    watch: RefCell<Watch>,
    /// The plugin. None: instances are taken in turn.
    plugin: Option<Slot>,
    /// The version of the list that the plugin knows.
    known: Cell<Option<u64>>,
    turn: Cell<usize>,
}

impl Balancer {
    /// A balancer over a service's instances.
    pub fn new(watch: Watch, plugin: Option<Slot>) -> Self {
        Self {
            watch: RefCell::new(watch),
            plugin,
            known: Cell::new(None),
            // Workers start at different places, so that they do not march in step.
            turn: Cell::new(fastrand::usize(..)),
        }
    }

    /// Picks for the exchange. `attempt` counts the retries.
    pub fn pick(
        &self,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Result<Arc<Instance>, Error> {
        let mut watch = self.watch.borrow_mut();
        let list = watch.list();
        if list.instances.is_empty() {
            return Err(Error::NoInstance);
        }
        let index = match &self.plugin {
            None => self.in_turn(&list.instances, &exchange.tried),
            Some(slot) => {
                if slot.is_empty() {
                    self.known.set(None);
                }
                let picked = slot.call(|instance| {
                    if self.known.get() != Some(list.version) {
                        instance.instances_changed(list)?;
                        self.known.set(Some(list.version));
                    }
                    instance.pick(exchange, attempt)
                });
                match picked {
                    Ok(index) => index.ok_or(Error::NoInstance)? as usize,
                    Err(error) => {
                        self.known.set(None);
                        tracing::warn!(plugin = %error.plugin, kind = error.kind.as_str(), "{error}");
                        return Err(Error::Plugin);
                    }
                }
            }
        };
        list.instances.get(index).cloned().ok_or(Error::NoInstance)
    }

    /// The next one that this request has not tried, else just the next one.
    fn in_turn(&self, instances: &[Arc<Instance>], tried: &[u32]) -> usize {
        let start = self.turn.get();
        self.turn.set(start.wrapping_add(1));
        let at = |offset: usize| start.wrapping_add(offset) % instances.len();
        (0..instances.len())
            .map(at)
            .find(|&index| !tried.contains(&instances[index].number))
            .unwrap_or_else(|| at(0))
    }
}
