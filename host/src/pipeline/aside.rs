//! Calls that are made aside: of plugins that take long, by threads beside the
//! workers, while their worker serves others.
//!
//! Instance and exchange go there and come back. Who waits for a call may go
//! meanwhile; so a copy of the exchange stays, as it was before the call.

use std::{mem, sync::Arc};

use crossbeam_queue::ArrayQueue;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    config::Isolation,
    exchange::Exchange,
    plugin::{Configured, Full, Instance, Line, PluginError},
};

use super::Slot;

/// What one slot has aside.
pub(super) struct Aside {
    line: Arc<Line>,
    /// Its instance, while the plugin takes long and no call is made.
    instance: Arc<ArrayQueue<Instance>>,
}

impl Default for Aside {
    fn default() -> Self {
        Self {
            line: Arc::default(),
            instance: Arc::new(ArrayQueue::new(1)),
        }
    }
}

/// Whose instance is called.
pub(super) struct Whose {
    isolation: Isolation,
    own: Option<Instance>,
}

impl Whose {
    /// The slot's.
    pub(super) fn slot() -> Self {
        Self {
            isolation: Isolation::Reuse,
            own: None,
        }
    }

    /// One request's own, unless it is still to be made.
    pub(super) fn request(own: Option<Instance>) -> Self {
        Self {
            isolation: Isolation::PerRequest,
            own,
        }
    }
}

/// What comes back.
struct Done<T> {
    /// That of the request, if it can still be called.
    instance: Option<Instance>,
    exchange: Box<Exchange>,
    result: Result<T, PluginError>,
}

/// One call, to be made elsewhere.
struct Call<H> {
    configured: Arc<Configured>,
    /// Where the slot's instance is kept.
    kept: Arc<ArrayQueue<Instance>>,
    whose: Whose,
    hook: H,
}

impl Aside {
    /// The instance, if it is there and none of the calls needs it.
    pub(super) fn take(&self) -> Option<Instance> {
        self.instance.pop()
    }
}

impl Slot {
    /// Calls aside, and waits for it. Returns the request's own instance with
    /// what came of it.
    ///
    /// # Errors
    ///
    /// `Busy` if too many calls are in the line, `Timeout` if it takes longer
    /// than a call may wait; else what the hook says.
    pub(super) async fn call_aside<T, H>(
        &self,
        whose: Whose,
        exchange: &mut Box<Exchange>,
        hook: H,
    ) -> (Option<Instance>, Result<T, PluginError>)
    where
        T: Send + 'static,
        H: FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError> + Send + 'static,
    {
        let call = self.prepare(whose, hook);
        let copy = Box::new(exchange.copy());
        let lent = mem::replace(exchange, copy);
        let (send, receive) = oneshot::channel();
        let joined = self.join(move || {
            // Whoever has gone meanwhile needs no answer.
            if !send.is_closed() {
                let done = call.make(lent);
                // The same, and then the instance is of no use either.
                let _ = send.send(done);
            }
        });
        if let Err(error) = joined {
            return (None, Err(error));
        }
        let limit = self.configured().limits().wait_timeout;
        match timeout(limit, receive).await {
            Ok(Ok(done)) => {
                *exchange = done.exchange;
                (done.instance, done.result)
            }
            Ok(Err(_closed)) => (None, Err(self.configured().broke_off())),
            Err(_elapsed) => (None, Err(self.configured().waited_too_long())),
        }
    }

    /// Calls aside, and does not wait for it. `then` is told what came of it.
    ///
    /// # Errors
    ///
    /// `Busy` if too many calls are in the line.
    pub(super) fn leave_aside<H, E>(
        &self,
        whose: Whose,
        exchange: Box<Exchange>,
        hook: H,
        then: E,
    ) -> Result<(), PluginError>
    where
        H: FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<(), PluginError> + Send + 'static,
        E: FnOnce(&Exchange, Result<(), PluginError>) + Send + 'static,
    {
        let call = self.prepare(whose, hook);
        self.join(move || {
            let done = call.make(exchange);
            then(&done.exchange, done.result);
        })
    }

    fn prepare<H>(&self, whose: Whose, hook: H) -> Call<H> {
        Call {
            configured: Arc::clone(self.configured()),
            kept: Arc::clone(&self.aside().instance),
            whose,
            hook,
        }
    }

    fn join(&self, job: impl FnOnce() + Send + 'static) -> Result<(), PluginError> {
        // From now on the instance is there. If there is one too many, it goes.
        if let Some(instance) = self.move_aside() {
            drop(self.aside().instance.force_push(instance));
        }
        let configured = self.configured();
        let most = configured.limits().queue;
        (self.aside().line)
            .join(configured.lanes(), most, job)
            .map_err(|Full| configured.line_is_full())
    }
}

impl<H> Call<H> {
    /// Makes the call.
    fn make<T>(self, mut exchange: Box<Exchange>) -> Done<T>
    where
        H: FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError>,
    {
        let Whose { isolation, own } = self.whose;
        let there = match isolation {
            Isolation::Reuse => self.kept.pop(),
            Isolation::PerRequest => own,
        };
        let made = match (there, isolation) {
            (Some(instance), _) => Ok(instance),
            (None, Isolation::Reuse) => self.configured.replacement(),
            (None, Isolation::PerRequest) => self.configured.isolated(),
        };
        let mut instance = match made {
            Ok(instance) => instance,
            Err(error) => {
                return Done {
                    instance: None,
                    exchange,
                    result: Err(error),
                };
            }
        };
        let tempo = self.configured.quarantine().tempo();
        let hook = self.hook;
        let result = tempo.measure(self.configured.plugin().name(), || {
            hook(&mut instance, &mut exchange)
        });
        // What cannot be called any more is dropped here, which takes time as well.
        let mut instance = Some(instance).filter(|instance| !instance.poisoned());
        if isolation == Isolation::Reuse
            && let Some(instance) = instance.take()
        {
            drop(self.kept.push(instance));
        }
        Done {
            instance,
            exchange,
            result,
        }
    }
}
