//! What plugins can call: one file per imported interface, each with a `link`
//! that defines its functions.
//!
//! Arguments are read where they lie in the plugin's memory, and checked as a
//! client's would be, before anything is copied. A mistake that the interface
//! has a word for is answered with that word; any other is an error, which
//! traps the plugin.

pub(super) mod balancing;
pub(super) mod body;
pub(super) mod counters;
pub(super) mod crypto;
pub(super) mod discovery;
pub(super) mod exchange;
mod exchange_request;
mod exchange_response;
mod exchange_route;
mod fields;
pub(super) mod hooks;
pub(super) mod http;
mod http_request;
mod http_respond;
pub(super) mod log;
pub(super) mod metrics;
mod output;
mod rules;
pub(super) mod store;
pub(super) mod wasi;
pub(super) mod wasi_clocks;
mod wasi_io;
pub(super) mod wasi_random;

use std::borrow::Cow;

use wasmtime::{Result, StoreContextMut, bail, component::WasmStr};

use super::data::Data;

pub(super) use http::Held;
pub(super) use output::Output;

/// A host function's view of the store that called it.
pub(super) type Caller<'a> = StoreContextMut<'a, Data>;

/// The longest key of a counter or a stored value, in bytes.
const LONGEST_KEY: usize = 256;

/// A key, read in place.
fn key<'a>(caller: &'a Caller<'_>, key: &WasmStr) -> Result<Cow<'a, str>> {
    let key = key.to_str(caller)?;
    match key.len() {
        0..=LONGEST_KEY => Ok(key),
        length => bail!("a key has {length} bytes, the limit is {LONGEST_KEY}"),
    }
}
