//! Work that filters do in the background, on one worker.

use std::time::{Duration, Instant};

use tokio::{task::yield_now, time::sleep};

use crate::{
    exchange::Exchange,
    observe::{FilterMetrics, Hook},
    plugin::{Admission, Instance, PluginError, Probe, Quarantine, Refused},
};

use super::{Slot, SlotIndex, Slots, aside::Whose, report};

/// When a tick of a plugin in quarantine asks again, at the latest: requests ask
/// too, and only a tick may heal what a tick has broken.
const AGAIN: Duration = Duration::from_millis(250);

/// A filter that ticks.
#[derive(Debug)]
pub struct Tick {
    /// Where its instances are. Steps that share one tick once.
    pub slot: SlotIndex,
    /// The time between the end of one call and the next.
    pub every: Duration,
    /// Calls, time and errors: those of the first step with this slot.
    pub metrics: FilterMetrics,
}

impl Tick {
    /// Calls the hook again and again, never two at once, until the future is
    /// dropped. A call that fails is counted and logged, and the next one comes: as
    /// soon as the quarantine lets it.
    pub async fn run(&self, slots: &Slots) {
        let slot = slots.slot(self.slot);
        let mut pause = self.every;
        loop {
            sleep(pause).await;
            // Whatever else the worker has to do now comes first.
            yield_now().await;
            pause = match self.once(slot).await {
                Ok(()) => self.every,
                Err(Refused { after }) => self.every.min(after).min(AGAIN),
            };
        }
    }

    async fn once(&self, slot: &Slot) -> Result<(), Refused> {
        let quarantine = slot.quarantine();
        let admission = match quarantine.is_healthy() {
            true => Admission::Free,
            false => quarantine.admit(None, Instant::now())?,
        };
        let _trial = Trial::of(admission, quarantine);
        let begun = Instant::now();
        let called = call(slot).await;
        self.metrics.called(Hook::Tick, begun.elapsed());
        match called {
            Ok(()) if admission == Admission::Free => {}
            Ok(()) => {
                quarantine.succeeded(Hook::Tick, admission, Instant::now());
            }
            Err(error) => {
                self.metrics.failed(error.kind.as_str());
                let none = Exchange::empty();
                report::failed(slot.configured(), Hook::Tick, admission, &none, &error);
            }
        }
        Ok(())
    }
}

/// Calls the hook: on the worker, since it may wait, or need what a worker has; but
/// aside if it takes long.
async fn call(slot: &Slot) -> Result<(), PluginError> {
    if slot.is_slow() && !slot.configured().waits() {
        let hook = |instance: &mut Instance, _: &mut Box<Exchange>| instance.on_tick_at_once();
        let mut nothing = Box::new(Exchange::empty());
        return slot.call_aside(Whose::slot(), &mut nothing, hook).await.1;
    }
    let mut lease = slot.lease()?;
    lease.instance().on_tick().await
}

/// A probe that others may make once this one is over: it may have shown nothing
/// of the hook that had failed, or its generation has ended in the midst of it.
struct Trial<'a>(Option<(Probe, &'a Quarantine)>);

impl<'a> Trial<'a> {
    fn of(admission: Admission, quarantine: &'a Quarantine) -> Self {
        Self(match admission {
            Admission::Probe(probe) => Some((probe, quarantine)),
            _ => None,
        })
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some((probe, quarantine)) = self.0.take() {
            quarantine.abandon(probe);
        }
    }
}
