//! Header fields as plugins read and set them; what they may set is in
//! [`rules`](super::rules).

use http::{HeaderMap, HeaderName, HeaderValue};
use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use super::{super::wit::Refusal, Caller, rules};

pub(super) use super::rules::{MOST_FIELDS, append, remove, set};

/// A field as a list of the WIT holds it.
pub(super) type Field = (String, Vec<u8>);

/// The first value of a name.
pub(super) fn first(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    headers.get(name).map(|value| value.as_bytes().to_vec())
}

/// All values of a name.
pub(super) fn values(headers: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect()
}

/// All fields.
pub(super) fn all(headers: &HeaderMap) -> Vec<Field> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.iter().map(field).collect()
}

/// A name and a value that a plugin may set.
pub(super) fn checked(
    caller: &Caller<'_>,
    name: &WasmStr,
    value: &WasmList<u8>,
) -> Result<Result<(HeaderName, HeaderValue), Refusal>> {
    let name = name.to_str(caller)?;
    let value = value.as_le_slice(caller);
    Ok(rules::check(&name, value))
}
