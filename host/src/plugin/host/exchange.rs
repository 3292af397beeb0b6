//! `exchange`: the request and response in flight.

use wasmtime::Result;

use super::{super::linker::Linker, exchange_request, exchange_response, exchange_route};

/// Defines the interface, which is spread over three files by its subject.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/exchange@0.1.0")?;
    exchange_request::define(&mut instance)?;
    exchange_response::define(&mut instance)?;
    exchange_route::define(&mut instance)
}
