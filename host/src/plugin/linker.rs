//! Where host functions are defined: Wasmtime's linker, which in a runtime that
//! counts puts the counting around each function.
//!
//! The choice is made once, when a plugin is linked. A runtime that serves
//! gets functions that only take the call from those that a hook has, and pays
//! nothing for those that count.

use std::{pin::Pin, sync::Arc};

use wasmtime::{
    AsContextMut, Result,
    component::{self, ComponentNamedList, Lift, LinkerInstance, Lower, ResourceType},
};

use super::{
    crossing::{Counting, Crossing},
    data::Data,
    host::Caller,
};

/// The functions that a plugin's imports are looked up in.
pub(super) struct Linker {
    /// WASI's interfaces define themselves here, and count in their view.
    pub(super) inner: component::Linker<Data>,
    pub(super) counting: Counting,
    /// The functions that may wait, by interface without its version.
    waiting: Vec<(String, String)>,
}

impl Linker {
    pub(super) fn new(engine: &wasmtime::Engine, counting: Counting) -> Self {
        Self {
            inner: component::Linker::new(engine),
            counting,
            waiting: Vec::new(),
        }
    }

    /// One interface, to define its functions.
    pub(super) fn instance(&mut self, name: &str) -> Result<Functions<'_>> {
        Ok(Functions {
            inner: self.inner.instance(name)?,
            counting: self.counting,
            interface: unversioned(name).to_owned(),
            waiting: &mut self.waiting,
        })
    }

    /// Whether a function of an interface, in any version that links, may wait.
    pub(super) fn waits(&self, interface: &str, function: &str) -> bool {
        let interface = unversioned(interface);
        let mut waiting = self.waiting.iter();
        waiting.any(|(of, name)| of == interface && name == function)
    }
}

/// `portcullis:gateway/store` of `portcullis:gateway/store@0.1.0`.
fn unversioned(interface: &str) -> &str {
    interface
        .split_once('@')
        .map_or(interface, |(name, _)| name)
}

/// What a function that may wait returns. It has to be `Send` since the stack
/// that it waits on is; what belongs to one worker is reached by a task of that
/// worker, whose result is waited for.
pub(super) type Waiting<'a, R> = Pin<Box<dyn Future<Output = Result<R>> + Send + 'a>>;

/// The functions of one interface.
pub(super) struct Functions<'a> {
    inner: LinkerInstance<'a, Data>,
    counting: Counting,
    interface: String,
    waiting: &'a mut Vec<(String, String)>,
}

impl Functions<'_> {
    /// Defines a function.
    pub(super) fn func_wrap<F, P, R>(&mut self, name: &str, function: F) -> Result<()>
    where
        F: Fn(Caller<'_>, P) -> Result<R> + Send + Sync + 'static,
        P: ComponentNamedList + Lift + Crossing + 'static,
        R: ComponentNamedList + Lower + Crossing + 'static,
    {
        let function = bounded(function);
        match self.counting {
            Counting::Off => self.inner.func_wrap(name, function),
            Counting::On => self.inner.func_wrap(name, counted(function)),
        }
    }

    /// Defines a function that may wait. A plugin that imports it is called on
    /// stacks of its own; where it may not wait (in any hook but `on-request` and
    /// `on-response`) calling the function is an error, which traps the plugin.
    ///
    /// The future is dropped when nobody waits for its result any more.
    pub(super) fn func_wrap_async<F, P, R>(&mut self, name: &str, function: F) -> Result<()>
    where
        F: for<'a> Fn(Caller<'a>, P) -> Waiting<'a, R> + Send + Sync + 'static,
        P: ComponentNamedList + Lift + Crossing + Send + 'static,
        R: ComponentNamedList + Lower + Crossing + Send + 'static,
    {
        self.waiting.push((self.interface.clone(), name.to_owned()));
        let (function, counting) = (Arc::new(function), self.counting);
        let called = format!("{}#{name}", self.interface);
        self.inner
            .func_wrap_async(name, move |mut caller, parameters: P| {
                let admitted = caller.data_mut().waits(&called);
                let function = Arc::clone(&function);
                Box::new(async move {
                    admitted?;
                    match counting {
                        Counting::Off => function(caller, parameters).await,
                        Counting::On => counted_waiting(caller, parameters, &*function).await,
                    }
                })
            })
    }

    /// Defines a resource with what drops it.
    pub(super) fn resource(
        &mut self,
        name: &str,
        ty: ResourceType,
        drop: impl Fn(Caller<'_>, u32) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        self.inner.resource(name, ty, drop)
    }
}

/// The same function, which also takes one of the calls that a hook has.
fn bounded<P, R>(
    function: impl Fn(Caller<'_>, P) -> Result<R> + Send + Sync + 'static,
) -> impl Fn(Caller<'_>, P) -> Result<R> + Send + Sync + 'static {
    move |mut caller: Caller<'_>, parameters: P| {
        caller.data_mut().called()?;
        function(caller, parameters)
    }
}

/// The same function, which also notes the call and its bytes.
fn counted<P, R>(
    function: impl Fn(Caller<'_>, P) -> Result<R> + Send + Sync + 'static,
) -> impl Fn(Caller<'_>, P) -> Result<R> + Send + Sync + 'static
where
    P: Crossing,
    R: Crossing,
{
    move |mut caller: Caller<'_>, parameters: P| {
        let to_host = parameters.bytes(&mut caller);
        let result = function(caller.as_context_mut(), parameters)?;
        note(&mut caller, to_host, &result);
        Ok(result)
    }
}

/// A call of a function that may wait, noted likewise.
async fn counted_waiting<P, R>(
    mut caller: Caller<'_>,
    parameters: P,
    function: &(impl for<'a> Fn(Caller<'a>, P) -> Waiting<'a, R> + Send + Sync),
) -> Result<R>
where
    P: Crossing,
    R: Crossing,
{
    let to_host = parameters.bytes(&mut caller);
    let result = function(caller.as_context_mut(), parameters).await?;
    note(&mut caller, to_host, &result);
    Ok(result)
}

fn note(caller: &mut Caller<'_>, to_host: u64, result: &impl Crossing) {
    let to_plugin = result.bytes(caller);
    let work = &mut caller.data_mut().work;
    work.host_calls += 1;
    work.bytes_to_host += to_host;
    work.bytes_to_plugin += to_plugin;
}
