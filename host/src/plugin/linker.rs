//! Where host functions are defined: Wasmtime's linker, which in a runtime that
//! counts puts the counting around each function.
//!
//! The choice is made once, when a plugin is linked. A runtime that serves
//! gets functions that only take the call from those that a hook has, and pays
//! nothing for those that count.

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
}

impl Linker {
    pub(super) fn new(engine: &wasmtime::Engine, counting: Counting) -> Self {
        Self {
            inner: component::Linker::new(engine),
            counting,
        }
    }

    /// One interface, to define its functions.
    pub(super) fn instance(&mut self, name: &str) -> Result<Functions<'_>> {
        Ok(Functions {
            inner: self.inner.instance(name)?,
            counting: self.counting,
        })
    }
}

/// The functions of one interface.
pub(super) struct Functions<'a> {
    inner: LinkerInstance<'a, Data>,
    counting: Counting,
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
        let to_plugin = result.bytes(&mut caller);
        let work = &mut caller.data_mut().work;
        work.host_calls += 1;
        work.bytes_to_host += to_host;
        work.bytes_to_plugin += to_plugin;
        Ok(result)
    }
}
