//! `metrics`: metrics of the plugins' own.

use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use super::{
    super::{data::Data, linker::Linker},
    Caller,
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/metrics@0.1.0")?;
    instance.func_wrap("add", add)?;
    instance.func_wrap("set", set)
}

type Labels = WasmList<(WasmStr, WasmStr)>;

/// Labels that a metric may have; one with more is dropped.
const MOST_LABELS: usize = 16;

/// The longest name, and the longest label with its value; a metric with a
/// longer one is dropped.
const LONGEST_TEXT: usize = 1 << 10;

fn add(mut caller: Caller<'_>, (name, labels, delta): (WasmStr, Labels, u64)) -> Result<()> {
    if let Some(labels) = read(&mut caller, &labels)? {
        let name = name.to_str(&caller)?;
        let Data {
            services,
            allowance,
            ..
        } = caller.data();
        services
            .metrics
            .plugins()
            .add(allowance.metrics(), &name, &borrowed(&labels), delta);
    }
    Ok(())
}

fn set(mut caller: Caller<'_>, (name, labels, value): (WasmStr, Labels, f64)) -> Result<()> {
    if let Some(labels) = read(&mut caller, &labels)? {
        let name = name.to_str(&caller)?;
        let Data {
            services,
            allowance,
            ..
        } = caller.data();
        services
            .metrics
            .plugins()
            .set(allowance.metrics(), &name, &borrowed(&labels), value);
    }
    Ok(())
}

fn read(caller: &mut Caller<'_>, labels: &Labels) -> Result<Option<Vec<(String, String)>>> {
    if labels.len() > MOST_LABELS {
        return Ok(None);
    }
    let mut read = Vec::with_capacity(labels.len());
    for index in 0..labels.len() {
        let Some(label) = labels.get(&mut *caller, index) else {
            break;
        };
        let (name, value) = label?;
        let (name, value) = (name.to_str(&*caller)?, value.to_str(&*caller)?);
        if name.len() + value.len() > LONGEST_TEXT {
            return Ok(None);
        }
        read.push((name.into_owned(), value.into_owned()));
    }
    Ok(Some(read))
}

fn borrowed(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
