//! `discovery`: services and their healthy instances, those that the step
//! allows to be seen.

use wasmtime::{Result, component::WasmStr};

use super::{
    super::{linker::Linker, wit},
    Caller,
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/discovery@0.1.0")?;
    instance.func_wrap("services", services)?;
    instance.func_wrap("instances", instances)
}

fn services(caller: Caller<'_>, (): ()) -> Result<(Vec<String>,)> {
    let data = caller.data();
    let services = data.services.registry.services();
    Ok((services
        .iter()
        .map(|service| service.name())
        .filter(|name| data.allowance.shows(name))
        .map(str::to_owned)
        .collect(),))
}

fn instances(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<Vec<wit::Instance>>,)> {
    let name = name.to_str(&caller)?;
    let data = caller.data();
    let shown = data.allowance.shows(&name);
    let service = data.services.registry.service(&name).filter(|_| shown);
    let list = service.map(|service| service.list());
    Ok((list.map(|list| {
        list.instances
            .iter()
            .map(|instance| (&**instance).into())
            .collect()
    }),))
}
