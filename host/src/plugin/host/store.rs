//! `store`: bytes shared by all workers.

use std::time::Duration;

use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use super::{
    super::{data::Data, linker::Linker},
    Caller, key,
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/store@0.1.0")?;
    instance.func_wrap("get", get)?;
    instance.func_wrap("set", set)?;
    instance.func_wrap("delete", delete)
}

/// Defines it for a plugin that can do without and has to: there is never
/// anything, and nothing is kept.
pub(in super::super) fn link_denied(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/store@0.1.0")?;
    instance.func_wrap("get", |_, _: (WasmStr,)| Ok((None::<Vec<u8>>,)))?;
    instance.func_wrap("set", |_, _: (WasmStr, WasmList<u8>, u64)| Ok((false,)))?;
    instance.func_wrap("delete", |_, _: (WasmStr,)| Ok((false,)))
}

fn get(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<Vec<u8>>,)> {
    let key = key(&caller, &name)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services.store.get(allowance.values(), &key).map(Vec::from),))
}

fn set(caller: Caller<'_>, (name, value, ttl): (WasmStr, WasmList<u8>, u64)) -> Result<(bool,)> {
    let key = key(&caller, &name)?;
    let value = value.as_le_slice(&caller);
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services
        .store
        .set(allowance.values(), &key, value, Duration::from_millis(ttl)),))
}

fn delete(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(bool,)> {
    let key = key(&caller, &name)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services.store.delete(allowance.values(), &key),))
}
