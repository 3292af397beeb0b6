//! `hooks`: what an instance has no use for.

use wasmtime::{Result, bail};

use super::{
    super::{data, linker::Linker, wit::Hook},
    Caller,
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/hooks@0.1.0")?;
    instance.func_wrap("skip", skip)
}

fn skip(mut caller: Caller<'_>, (hook,): (Hook,)) -> Result<()> {
    let data = caller.data_mut();
    if data.hook != data::Hook::Configuration {
        bail!("portcullis:gateway/hooks was called outside `configure`");
    }
    let skipped = &mut data.skipped;
    match hook {
        Hook::Request => skipped.request = true,
        Hook::Response => skipped.response = true,
        Hook::Completion => skipped.completion = true,
        Hook::RequestBody => skipped.request_body = true,
        Hook::ResponseBody => skipped.response_body = true,
        Hook::RequestBuffered => skipped.request_buffered = true,
        Hook::ResponseBuffered => skipped.response_buffered = true,
    }
    Ok(())
}
