//! `log`: the gateway's log.

use wasmtime::{Result, component::WasmStr};

use super::{
    super::{linker::Linker, wit::Level},
    Caller,
    output::{self, enabled},
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/log@0.1.0")?;
    instance.func_wrap("write", write)?;
    instance.func_wrap("enabled", |_: Caller<'_>, (level,): (Level,)| {
        Ok((enabled(level),))
    })
}

fn write(caller: Caller<'_>, (level, message): (Level, WasmStr)) -> Result<()> {
    if enabled(level) {
        output::write(caller.data(), level, &message.to_str(&caller)?);
    }
    Ok(())
}
