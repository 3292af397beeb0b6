//! Calls that may wait: the hooks of a plugin that is lent something which
//! answers later, on a stack of its own.
//!
//! While such a call waits its worker serves others, and its instance serves
//! nobody else. It computes as long as any call may (`call_timeout`, its waiting
//! left out), and takes no longer than `wait_timeout` in all.

use std::{
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::sleep;
use wasmtime::{
    Store,
    component::{ComponentNamedList, Lift, Lower, TypedFunc},
    format_err,
};

use crate::{config::PluginLimits, exchange::Exchange, observe::Limit};

use super::{
    Instance, PluginError, PluginErrorKind as Kind, Verdict,
    data::{Data, Hook},
    deadline,
    failure::{Failure, flatten},
    pace::Pace,
    wit,
};

impl Instance {
    /// Whether it may wait for others while it is called.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Runs the request hook, which may wait. With `Respond`, the exchange has
    /// an answer.
    ///
    /// Not cancel safe: if the future is dropped, the exchange is back in its
    /// place, and the instance is poisoned.
    ///
    /// # Errors
    ///
    /// The plugin failed. The exchange may have been changed until then.
    pub async fn on_request_waiting(
        &mut self,
        exchange: &mut Box<Exchange>,
    ) -> Result<Verdict, PluginError> {
        match self.functions.on_request {
            Some(function) => self.decide_waiting(Hook::Request, exchange, function).await,
            None => Ok(Verdict::Next),
        }
    }

    /// Runs the response hook, which may wait; as `on_request_waiting`.
    ///
    /// # Errors
    ///
    /// The plugin failed. The exchange may have been changed until then.
    pub async fn on_response_waiting(
        &mut self,
        exchange: &mut Box<Exchange>,
    ) -> Result<Verdict, PluginError> {
        match self.functions.on_response {
            Some(function) => {
                self.decide_waiting(Hook::Response, exchange, function)
                    .await
            }
            None => Ok(Verdict::Next),
        }
    }

    async fn decide_waiting(
        &mut self,
        hook: Hook,
        exchange: &mut Box<Exchange>,
        function: TypedFunc<(), (wit::Verdict,)>,
    ) -> Result<Verdict, PluginError> {
        exchange.answer = None;
        let result = self.call_waiting(hook, exchange, function, ()).await;
        self.judge(exchange, result)
    }

    /// Lends the exchange to the store for one call, which may wait.
    pub(super) async fn call_waiting<P, R>(
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
        if self.poisoned {
            return Err(self.called_again());
        }
        let bounds = Bounds::of(&self.store.data().allowance.limits);
        let mut lent = Lent::new(self, exchange, hook, bounds);
        let result = lent.call(function, parameters).await;
        lent.settle(result)
    }
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Its own computing.
    pub(super) computing: Duration,
    /// All of it, from when it first waits.
    pub(super) waiting: Duration,
    /// What is counted if it takes longer than that.
    pub(super) limit: Limit,
}

impl Bounds {
    /// Those of a hook.
    pub(super) fn of(limits: &PluginLimits) -> Self {
        Self {
            computing: limits.call_timeout,
            waiting: limits.wait_timeout,
            limit: Limit::WaitTimeout,
        }
    }
}

/// An instance that has been lent an exchange, until this is dropped: also in
/// the midst of a call, since whoever waits for it may go.
pub(super) struct Lent<'a> {
    instance: &'a mut Instance,
    exchange: &'a mut Box<Exchange>,
    bounds: Bounds,
}

impl<'a> Lent<'a> {
    pub(super) fn new(
        instance: &'a mut Instance,
        exchange: &'a mut Box<Exchange>,
        hook: Hook,
        bounds: Bounds,
    ) -> Self {
        // Until the call has come to its end.
        instance.poisoned = true;
        let data = instance.store.data_mut();
        mem::swap(&mut data.exchange, exchange);
        data.hook = hook;
        data.pace = Some(Arc::new(Pace::new(bounds.computing)));
        data.begin();
        deadline::pace(&mut instance.store);
        Self {
            instance,
            exchange,
            bounds,
        }
    }

    /// Calls, for as long as the call may take. None: it took longer.
    pub(super) async fn call<P, R>(
        &mut self,
        function: TypedFunc<P, R>,
        parameters: P,
    ) -> Option<Result<R, Failure>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let Instance {
            store, activity, ..
        } = &mut *self.instance;
        let pace = store.data().pace.clone();
        let mut call = pin!(function.call_async(store, parameters));
        let polled = poll_fn(|cx| {
            // The clock may have stopped while the call waited.
            activity.begin();
            let pace = pace.as_deref();
            pace.inspect(|pace| pace.enter());
            let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx)));
            pace.inspect(|pace| pace.leave());
            match polled {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(result)) => Poll::Ready(flatten(Ok(result))),
                Err(panic) => Poll::Ready(flatten(Err(panic))),
            }
        });
        within(self.bounds.waiting, polled).await
    }

    /// What became of the call. Any error leaves the store in an unknown state.
    pub(super) fn settle<R>(self, result: Option<Result<R, Failure>>) -> Result<R, PluginError> {
        match result {
            Some(Ok(value)) => {
                self.instance.poisoned = false;
                Ok(value)
            }
            Some(Err(failure)) => Err(failure.explain(&mut self.instance.store)),
            None => {
                let data = self.instance.store.data();
                data.allowance.limited(self.bounds.limit);
                let limit = self.bounds.waiting;
                let message = format!("waited for longer than it may ({limit:?})");
                Err(data.identity.error(Kind::Timeout, message))
            }
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let data = self.instance.store.data_mut();
        data.pace = None;
        data.hook = Hook::None;
        mem::swap(&mut data.exchange, self.exchange);
    }
}

/// The output of a future, if it comes within a time. A future that is ready at
/// once costs no timer; else the time begins when it first waits.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(output) = first {
        return Some(output);
    }
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep(limit) => None,
    }
}

/// Calls a function of an instance that may wait, in a hook that may not.
#[cold]
pub(super) fn call_at_once<P, R>(
    store: &mut Store<Data>,
    function: TypedFunc<P, R>,
    parameters: P,
) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift + 'static,
{
    at_once(function.call_async(store, parameters))?
}

/// The output of a future that has nothing to wait for.
pub(super) fn at_once<F: Future>(future: F) -> wasmtime::Result<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(format_err!("it waited where it may not")),
    }
}
