//! Picks an instance of a service: one worker's side of a balancer plugin.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::Instant,
};

use crate::{
    discovery::{Instance, InstanceList, Watch},
    exchange::{Exchange, NO_STEP},
    observe::{BalancerMetrics, Hook},
    plugin::{self, Admission, PluginError, Work},
    respond::Error,
};

use super::{Slot, aside::Whose, report};

/// One worker's balancer of one service.
pub struct Balancer {
    watch: RefCell<Watch>,
    chooser: Chooser<Picker>,
    turn: Cell<usize>,
}

/// Who picks of a service's instances, in one of the forms that a balancer has
/// while a snapshot is built.
#[derive(Debug)]
pub enum Chooser<P> {
    /// Nobody: instances are taken in turn.
    Turn,
    /// A plugin.
    Plugin(P),
    /// A plugin that is required and is not there: nothing is picked.
    Missing,
}

impl<P> Chooser<P> {
    /// The same in another form.
    pub fn map<Q>(self, change: impl FnOnce(P) -> Q) -> Chooser<Q> {
        match self {
            Self::Turn => Chooser::Turn,
            Self::Plugin(plugin) => Chooser::Plugin(change(plugin)),
            Self::Missing => Chooser::Missing,
        }
    }

    /// The plugin, if there is one.
    pub fn plugin(&self) -> Option<&P> {
        match self {
            Self::Plugin(plugin) => Some(plugin),
            Self::Turn | Self::Missing => None,
        }
    }
}

impl Balancer {
    /// A balancer over a service's instances.
    pub fn new(watch: Watch, chooser: Chooser<(Slot, BalancerMetrics)>) -> Self {
        Self {
            watch: RefCell::new(watch),
            chooser: chooser.map(|(slot, metrics)| Picker { slot, metrics }),
            // Workers start at different places, so that they do not march in step.
            turn: Cell::new(fastrand::usize(..)),
        }
    }

    /// Picks for the exchange. `attempt` counts the retries.
    pub fn pick(&self, exchange: &mut Box<Exchange>, attempt: u32) -> Result<Arc<Instance>, Error> {
        let mut watch = self.watch.borrow_mut();
        let list = watch.list();
        if list.instances.is_empty() {
            return Err(Error::NoInstance);
        }
        let index = match &self.chooser {
            Chooser::Turn => Some(self.in_turn(&list.instances, &exchange.tried)),
            Chooser::Plugin(picker) => picker.pick(list, exchange, attempt)?,
            Chooser::Missing => return Err(Error::PluginMissing),
        };
        index
            .and_then(|index| list.instances.get(index))
            .cloned()
            .ok_or(Error::NoInstance)
    }

    /// True if the plugin takes long, so that `pick_aside` is to be called.
    #[inline]
    pub fn is_slow(&self) -> bool {
        let slow = |picker: &Picker| picker.slot.is_slow();
        self.chooser.plugin().is_some_and(slow)
    }

    /// Picks for the exchange while the worker does something else.
    ///
    /// # Errors
    ///
    /// As `pick`.
    pub async fn pick_aside(
        &self,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Result<Arc<Instance>, Error> {
        let Chooser::Plugin(picker) = &self.chooser else {
            return self.pick(exchange, attempt);
        };
        let list = Arc::clone(self.watch.borrow_mut().list());
        if list.instances.is_empty() {
            return Err(Error::NoInstance);
        }
        let index = picker.pick_aside(&list, exchange, attempt).await?;
        index
            .and_then(|index| list.instances.get(index))
            .cloned()
            .ok_or(Error::NoInstance)
    }

    /// What the plugin's instance has done, where that is counted.
    pub fn work(&self) -> Option<Work> {
        self.chooser.plugin()?.slot.work()
    }

    /// The next one. A retry takes any that its request has not tried, and
    /// leaves the turn alone: if it took a turn, then of two instances of which
    /// one is gone every request would come to that one first.
    fn in_turn(&self, instances: &[Arc<Instance>], tried: &[u32]) -> usize {
        let start = match tried.is_empty() {
            true => self.turn.replace(self.turn.get().wrapping_add(1)),
            false => fastrand::usize(..),
        };
        let at = |offset: usize| start.wrapping_add(offset) % instances.len();
        (0..instances.len())
            .map(at)
            .find(|&index| !tried.contains(&instances[index].number))
            .unwrap_or_else(|| at(0))
    }
}

/// A balancer plugin's instance.
struct Picker {
    slot: Slot,
    metrics: BalancerMetrics,
}

impl Picker {
    fn pick(
        &self,
        list: &Arc<InstanceList>,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Result<Option<usize>, Error> {
        let (started, admission) = self.begin(exchange)?;
        let picked = self.slot.call(|instance| {
            let metrics = &self.metrics;
            ask(instance, list, exchange, attempt, metrics, started)
        });
        self.picked(exchange, started, admission, picked)
    }

    async fn pick_aside(
        &self,
        list: &Arc<InstanceList>,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Result<Option<usize>, Error> {
        let (started, admission) = self.begin(exchange)?;
        let (list, metrics) = (Arc::clone(list), self.metrics.clone());
        let call = move |instance: &mut plugin::Instance, exchange: &mut Box<Exchange>| {
            ask(instance, &list, exchange, attempt, &metrics, started)
        };
        let (_, picked) = self.slot.call_aside(Whose::slot(), exchange, call).await;
        self.picked(exchange, started, admission, picked)
    }

    fn begin(&self, exchange: &mut Exchange) -> Result<(Instant, Admission), Error> {
        exchange.step = NO_STEP;
        let started = Instant::now();
        let admission = match self.slot.quarantine().is_healthy() {
            true => Admission::Free,
            false => self.admit(started)?,
        };
        Ok((started, admission))
    }

    fn picked(
        &self,
        exchange: &Exchange,
        started: Instant,
        admission: Admission,
        picked: Result<Option<u32>, PluginError>,
    ) -> Result<Option<usize>, Error> {
        self.metrics.called(Hook::Pick, started.elapsed());
        match picked {
            Ok(index) => {
                if admission != Admission::Free {
                    let quarantine = self.slot.quarantine();
                    quarantine.succeeded(Hook::Pick, admission, Instant::now());
                }
                Ok(index.map(|index| index as usize))
            }
            Err(error) => Err(self.failed(exchange, admission, &error)),
        }
    }

    /// Asks the quarantine of a plugin that failed.
    #[cold]
    fn admit(&self, now: Instant) -> Result<Admission, Error> {
        self.slot.quarantine().admit(None, now).map_err(|refused| {
            self.metrics.failed(report::QUARANTINED);
            report::refused(refused)
        })
    }

    #[cold]
    fn failed(&self, exchange: &Exchange, admission: Admission, error: &PluginError) -> Error {
        self.metrics.failed(error.kind.as_str());
        report::failed(
            self.slot.configured(),
            Hook::Pick,
            admission,
            exchange,
            error,
        );
        report::answer(error)
    }
}

/// Lets an instance pick, which is told of the list if it does not know it.
fn ask(
    instance: &mut plugin::Instance,
    list: &Arc<InstanceList>,
    exchange: &mut Box<Exchange>,
    attempt: u32,
    metrics: &BalancerMetrics,
    started: Instant,
) -> Result<Option<u32>, PluginError> {
    if instance.known_version() != Some(list.version) {
        instance.instances_changed(list)?;
        metrics.called(Hook::InstancesChanged, started.elapsed());
    }
    instance.pick(exchange, attempt)
}
