//! One instance of a plugin: a store of its own, called synchronously by the
//! worker that owns it. The hot path of the gateway.

mod body;
#[cfg(test)]
mod tests;

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use wasmtime::{
    Store,
    component::{ComponentNamedList, Lift, Lower, TypedFunc},
};

use crate::{
    discovery::InstanceList,
    exchange::{Exchange, Outcome},
};

use super::{
    Hooks, HostServices, LoadError, Names, Plugin, PluginError, PluginErrorKind as Kind, Room,
    Tempo,
    allowance::Allowance,
    data::{Data, Hook},
    deadline,
    exports::Functions,
    failure::flatten,
    link::Linked,
    ticker::{Activity, ticks},
    waiting::{at_once, call_at_once},
    wit,
};

pub use body::ChunkVerdict;

/// Counts instances.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// What a filter decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Next,
    /// Send the exchange's `answer`, which is there.
    Respond,
}

/// What instances are linked to.
pub(super) struct Host {
    pub(super) names: Arc<Names>,
    pub(super) services: Arc<HostServices>,
    pub(super) allowance: Arc<Allowance>,
    pub(super) tempo: Arc<Tempo>,
}

/// One instance. Belongs to one worker at a time.
pub struct Instance {
    pub(super) store: Store<Data>,
    pub(super) functions: Functions,
    /// What the plugin exports.
    hooks: Hooks,
    pub(super) activity: Arc<Activity>,
    /// Its share of what its filter may have, if a request has it to itself.
    pub(super) room: Option<Room>,
    /// `limits.start_timeout` and `call_timeout` in ticks.
    pub(super) start_ticks: u64,
    pub(super) call_ticks: u64,
    /// Some of its imports may wait: it is called on a stack of its own.
    pub(super) waits: bool,
    pub(super) poisoned: bool,
    serial: u64,
    /// Bodies that it has seen the beginning of.
    streams: u64,
    /// Whether the plugin can change bodies.
    changes_bodies: bool,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Instance>();
};

impl Instance {
    /// Instantiates, without configuring.
    pub(super) fn new(plugin: &Plugin, linked: &Linked, host: &Host) -> Result<Self, LoadError> {
        let limits = &host.allowance.limits;
        let data = Data::new(
            Arc::clone(plugin.identity()),
            Arc::clone(&host.names),
            Arc::clone(&host.services),
            Arc::clone(&host.allowance),
        );
        let mut store = Store::new(linked.pre.engine(), data);
        store.limiter(|data| &mut data.limiter);
        let activity = Arc::clone(&plugin.threads().activity);
        let start_ticks = ticks(limits.start_timeout);
        let call_ticks = ticks(limits.call_timeout);
        activity.allow(start_ticks.max(call_ticks));
        activity.begin();
        deadline::arm(&mut store, Arc::clone(&activity), Arc::clone(&host.tempo));
        deadline::set(&mut store, start_ticks);
        let made = catch_unwind(AssertUnwindSafe(|| {
            plugin.compiled().counting.begin(&mut store)?;
            match linked.waits {
                false => linked.pre.instantiate(&mut store),
                true => at_once(linked.pre.instantiate_async(&mut store))?,
            }
        }));
        let instance =
            flatten(made).map_err(|failure| LoadError::Describe(failure.explain(&mut store)))?;
        let functions = plugin.compiled().exports.functions(&mut store, &instance)?;
        Ok(Self {
            store,
            functions,
            hooks: plugin.hooks(),
            activity,
            room: None,
            start_ticks,
            call_ticks,
            waits: linked.waits,
            poisoned: false,
            serial: SERIAL.fetch_add(1, Relaxed),
            streams: 0,
            changes_bodies: plugin.reads().changes_bodies,
        })
    }

    /// Lets the plugin describe itself; none if it cannot.
    pub(super) fn describe(&mut self) -> Result<Option<wit::Description>, PluginError> {
        let Some(describe) = self.functions.describe else {
            return Ok(None);
        };
        self.guarded(self.start_ticks, |store, waits| {
            enter(store, waits, describe, ())
        })
        .map(|(description,)| Some(description))
    }

    /// Lets the plugin say which capabilities it can do without.
    pub(super) fn optional(&mut self) -> Result<Vec<String>, PluginError> {
        let Some(optional) = self.functions.optional else {
            return Ok(Vec::new());
        };
        self.guarded(self.start_ticks, |store, waits| {
            enter(store, waits, optional, ())
        })
        .map(|(names,)| names)
    }

    /// Hands over the configuration, if the plugin takes one.
    pub(super) fn configure(&mut self, config: &str) -> Result<(), PluginError> {
        let Some(configure) = self.functions.configure else {
            return Ok(());
        };
        let configure: TypedFunc<(&str,), (Result<(), String>,)> = configure;
        self.store.data_mut().hook = Hook::Configuration;
        let accepted = self.guarded(self.start_ticks, |store, waits| {
            enter(store, waits, configure, (config,))
        });
        self.store.data_mut().hook = Hook::None;
        let (accepted,) = accepted?;
        accepted.map_err(|reason| {
            self.poisoned = true;
            self.error(Kind::Fail, format!("refuses its configuration: {reason}"))
        })
    }

    /// The hooks that the plugin exports and has a use for with the
    /// configuration that it was given.
    pub fn hooks(&self) -> Hooks {
        self.hooks.without(self.store.data().skipped)
    }

    /// Runs the request hook. With `Respond`, the exchange has an answer.
    ///
    /// # Errors
    ///
    /// The plugin failed. The exchange may have been changed until then.
    pub fn on_request(&mut self, exchange: &mut Box<Exchange>) -> Result<Verdict, PluginError> {
        match self.functions.on_request {
            Some(function) => self.decide(Hook::Request, exchange, function),
            None => Ok(Verdict::Next),
        }
    }

    /// Runs the response hook. With `Respond`, the exchange has an answer.
    ///
    /// # Errors
    ///
    /// The plugin failed. The exchange may have been changed until then.
    pub fn on_response(&mut self, exchange: &mut Box<Exchange>) -> Result<Verdict, PluginError> {
        match self.functions.on_response {
            Some(function) => self.decide(Hook::Response, exchange, function),
            None => Ok(Verdict::Next),
        }
    }

    /// Runs the completion hook.
    ///
    /// # Errors
    ///
    /// The plugin failed.
    pub fn on_completion(
        &mut self,
        exchange: &mut Box<Exchange>,
        outcome: &Outcome,
    ) -> Result<(), PluginError> {
        match self.functions.on_completion {
            Some(function) => self.call(Hook::Completion, exchange, function, (outcome.into(),)),
            None => Ok(()),
        }
    }

    /// Hands a balancer the instances that it picks from.
    ///
    /// # Errors
    ///
    /// The plugin failed.
    pub fn instances_changed(&mut self, instances: &Arc<InstanceList>) -> Result<(), PluginError> {
        let Some(function) = self.functions.instances_changed else {
            return Ok(());
        };
        let list: Vec<wit::Instance> = instances
            .instances
            .iter()
            .map(|instance| (&**instance).into())
            .collect();
        self.store.data_mut().instances = Some(Arc::clone(instances));
        let function: TypedFunc<(&[wit::Instance],), ()> = function;
        self.guarded(self.call_ticks, |store, waits| {
            enter(store, waits, function, (&list,))
        })
    }

    /// The version of the list that a balancer was given last.
    pub fn known_version(&self) -> Option<u64> {
        let known = self.store.data().instances.as_ref()?;
        Some(known.version)
    }

    /// Lets a balancer pick: an index into the last list that it was given.
    ///
    /// # Errors
    ///
    /// The plugin failed.
    pub fn pick(
        &mut self,
        exchange: &mut Box<Exchange>,
        attempt: u32,
    ) -> Result<Option<u32>, PluginError> {
        match self.functions.pick {
            Some(function) => {
                let (picked,) = self.call(Hook::Pick, exchange, function, (attempt,))?;
                Ok(picked)
            }
            None => Ok(None),
        }
    }

    /// True if a trap or a deadline has left the instance in an unknown state:
    /// every further call fails.
    pub fn poisoned(&self) -> bool {
        self.poisoned
    }

    fn decide(
        &mut self,
        hook: Hook,
        exchange: &mut Box<Exchange>,
        function: TypedFunc<(), (wit::Verdict,)>,
    ) -> Result<Verdict, PluginError> {
        exchange.answer = None;
        let result = self.call(hook, exchange, function, ());
        self.judge(exchange, result)
    }

    /// Holds a verdict against what the hook has done.
    #[inline]
    pub(super) fn judge(
        &self,
        exchange: &mut Exchange,
        result: Result<(wit::Verdict,), PluginError>,
    ) -> Result<Verdict, PluginError> {
        let error = match result {
            Ok((wit::Verdict::Respond,)) if exchange.answer.is_some() => {
                return Ok(Verdict::Respond);
            }
            Ok((wit::Verdict::Respond,)) => {
                self.error(Kind::Nonsense, "said `respond` without an answer")
            }
            Ok((wit::Verdict::Fail,)) => self.error(Kind::Fail, "said that it failed"),
            Ok((wit::Verdict::Next,)) => {
                exchange.answer = None;
                return Ok(Verdict::Next);
            }
            Err(error) => error,
        };
        exchange.answer = None;
        Err(error)
    }

    /// Lends the exchange to the store for one call, whatever comes of it.
    fn call<P, R>(
        &mut self,
        hook: Hook,
        exchange: &mut Box<Exchange>,
        function: TypedFunc<P, R>,
        parameters: P,
    ) -> Result<R, PluginError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let data = self.store.data_mut();
        mem::swap(&mut data.exchange, exchange);
        data.hook = hook;
        let result = self.guarded(self.call_ticks, |store, waits| {
            enter(store, waits, function, parameters)
        });
        let data = self.store.data_mut();
        data.hook = Hook::None;
        mem::swap(&mut data.exchange, exchange);
        result
    }

    /// Calls with a deadline. Any error leaves the store in an unknown state.
    #[inline]
    pub(super) fn guarded<R>(
        &mut self,
        ticks: u64,
        call: impl FnOnce(&mut Store<Data>, bool) -> wasmtime::Result<R>,
    ) -> Result<R, PluginError> {
        if self.poisoned {
            return Err(self.called_again());
        }
        self.activity.begin();
        deadline::set(&mut self.store, ticks);
        let data = self.store.data_mut();
        data.begin();
        let (store, waits) = (&mut self.store, self.waits);
        match flatten(catch_unwind(AssertUnwindSafe(|| call(store, waits)))) {
            Ok(value) => Ok(value),
            Err(failure) => {
                self.poisoned = true;
                Err(failure.explain(&mut self.store))
            }
        }
    }

    #[cold]
    pub(super) fn called_again(&self) -> PluginError {
        self.error(Kind::Unavailable, "was called again after it failed")
    }

    fn error(&self, kind: Kind, message: impl Into<String>) -> PluginError {
        self.store.data().identity.error(kind, message)
    }
}

/// Calls a function: at once, since the caller has nobody who would wait for it.
#[inline]
fn enter<P, R>(
    store: &mut Store<Data>,
    waits: bool,
    function: TypedFunc<P, R>,
    parameters: P,
) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift + 'static,
{
    match waits {
        false => function.call(store, parameters),
        true => call_at_once(store, function, parameters),
    }
}
