//! `balancing`: the load of the instances that a balancer picks from.

use std::sync::Arc;

use wasmtime::{Result, bail};

use crate::discovery::{Instance, InstanceList};

use super::{super::linker::Linker, Caller};

/// Defines the interface, and the types that a balancer's exports use.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/balancing@0.1.0")?;
    instance.func_wrap("in-flight", in_flight)?;
    instance.func_wrap("all-in-flight", all_in_flight)?;
    instance.func_wrap("latency-us", latency_us)?;
    instance.func_wrap("tried", tried)
}

fn in_flight(caller: Caller<'_>, (index,): (u32,)) -> Result<(u32,)> {
    Ok((instance(&caller, index)?.in_flight(),))
}

fn all_in_flight(caller: Caller<'_>, (): ()) -> Result<(Vec<u32>,)> {
    let instances = &list(&caller)?.instances;
    Ok((instances
        .iter()
        .map(|instance| instance.in_flight())
        .collect(),))
}

fn latency_us(caller: Caller<'_>, (index,): (u32,)) -> Result<(u32,)> {
    Ok((instance(&caller, index)?.latency_us(),))
}

fn tried(caller: Caller<'_>, (index,): (u32,)) -> Result<(bool,)> {
    let number = instance(&caller, index)?.number;
    Ok((caller.data().exchange()?.tried.contains(&number),))
}

fn list<'a>(caller: &'a Caller<'_>) -> Result<&'a InstanceList> {
    match &caller.data().instances {
        Some(list) => Ok(list),
        None => bail!("portcullis:gateway/balancing was called by what is no balancer"),
    }
}

fn instance<'a>(caller: &'a Caller<'_>, index: u32) -> Result<&'a Arc<Instance>> {
    let instances = &list(caller)?.instances;
    match instances.get(index as usize) {
        Some(instance) => Ok(instance),
        None => bail!("there is no instance {index}, only {}", instances.len()),
    }
}
