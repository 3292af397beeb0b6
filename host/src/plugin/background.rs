//! The hooks that no request is waiting for: the start, and ticks.

use wasmtime::component::{ComponentNamedList, Lift, TypedFunc};

use crate::{exchange::Exchange, observe::Limit};

use super::{
    Instance, PluginError, PluginErrorKind as Kind,
    data::Hook,
    waiting::{Bounds, Lent, at_once},
};

impl Instance {
    /// Runs the start hook, which may wait, within the plugin's `start_timeout`.
    ///
    /// Not cancel safe: if the future is dropped, the instance is poisoned.
    ///
    /// # Errors
    ///
    /// `Fail` with the plugin's own words if it cannot start.
    pub async fn on_start(&mut self) -> Result<(), PluginError> {
        let Some(function) = self.functions.on_start else {
            return Ok(());
        };
        let longest = self.store.data().allowance.limits.start_timeout;
        let bounds = Bounds {
            computing: longest,
            waiting: longest,
            limit: Limit::StartTimeout,
        };
        let (said,) = self.apart(function, bounds, self.start_ticks).await?;
        said.map_err(|reason| {
            self.poisoned = true;
            let identity = &self.store.data().identity;
            identity.error(Kind::Fail, format!("cannot start: {reason}"))
        })
    }

    /// Runs the tick hook, which may wait.
    ///
    /// Not cancel safe: if the future is dropped, the instance is poisoned.
    ///
    /// # Errors
    ///
    /// The plugin failed.
    pub async fn on_tick(&mut self) -> Result<(), PluginError> {
        match self.functions.on_tick {
            Some(function) => {
                let bounds = Bounds::of(&self.store.data().allowance.limits);
                self.apart(function, bounds, self.call_ticks).await
            }
            None => Ok(()),
        }
    }

    /// The same of an instance that does not wait.
    ///
    /// # Errors
    ///
    /// As `on_tick`; and if it waits nevertheless.
    pub fn on_tick_at_once(&mut self) -> Result<(), PluginError> {
        match at_once(self.on_tick()) {
            Ok(ticked) => ticked,
            Err(error) => Err(self
                .store
                .data()
                .identity
                .error(Kind::Trap, error.to_string())),
        }
    }

    /// Calls a hook without an exchange: on a stack of its own if it may wait.
    async fn apart<R>(
        &mut self,
        function: TypedFunc<(), R>,
        bounds: Bounds,
        ticks: u64,
    ) -> Result<R, PluginError>
    where
        R: ComponentNamedList + Lift + 'static,
    {
        if self.poisoned {
            return Err(self.called_again());
        }
        if !self.waits {
            self.store.data_mut().hook = Hook::Background;
            let called = self.guarded(ticks, |store, _| function.call(store, ()));
            self.store.data_mut().hook = Hook::None;
            return called;
        }
        let mut nothing = Box::new(Exchange::empty());
        let mut lent = Lent::new(self, &mut nothing, Hook::Background, bounds);
        let called = lent.call(function, ()).await;
        lent.settle(called)
    }
}
