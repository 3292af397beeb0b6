//! Header fields: what a plugin may read, and what it may set.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use super::{super::wit::Refusal, Caller};

/// Fields that one message may have before a plugin may add no more.
pub(super) const MOST_FIELDS: usize = 128;

/// The longest value that a plugin may set, in bytes.
const LONGEST_VALUE: usize = 64 << 10;

/// Fields that belong to one connection, and so to the gateway.
const OF_THE_GATEWAY: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

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
    Ok(check(&name, value))
}

fn check(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), Refusal> {
    let name = settable(name)?;
    if value.len() > LONGEST_VALUE {
        return Err(Refusal::TooLarge);
    }
    let value = HeaderValue::from_bytes(value).map_err(|_| Refusal::Invalid)?;
    Ok((name, value))
}

/// A name that is not the gateway's own.
fn settable(name: &str) -> Result<HeaderName, Refusal> {
    if name.starts_with(':') {
        return Err(Refusal::Forbidden);
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::Invalid)?;
    match OF_THE_GATEWAY.contains(&name) {
        true => Err(Refusal::Forbidden),
        false => Ok(name),
    }
}

/// Sets a field in place of all of its name.
pub(super) fn set(
    headers: &mut HeaderMap,
    (name, value): (HeaderName, HeaderValue),
) -> Result<(), Refusal> {
    if headers.len() >= MOST_FIELDS && !headers.contains_key(&name) {
        return Err(Refusal::TooLarge);
    }
    let set = headers.try_insert(name, value);
    set.map(drop).map_err(|_| Refusal::TooLarge)
}

/// Adds a field to those of its name.
pub(super) fn append(
    headers: &mut HeaderMap,
    (name, value): (HeaderName, HeaderValue),
) -> Result<(), Refusal> {
    if headers.len() >= MOST_FIELDS {
        return Err(Refusal::TooLarge);
    }
    let added = headers.try_append(name, value);
    added.map(drop).map_err(|_| Refusal::TooLarge)
}

/// Removes all fields of a name; false if there were none, or they are the
/// gateway's.
pub(super) fn remove(headers: &mut HeaderMap, name: &str) -> bool {
    settable(name).is_ok_and(|name| headers.remove(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_sets_what_a_client_could_send_and_nothing_of_the_connection() {
        let long = vec![b'x'; LONGEST_VALUE + 1];
        for (name, value, expected) in [
            ("x-hello", &b"world"[..], Ok(())),
            ("X-Hello", b"\xe9\xff", Ok(())),
            ("x-hello", &long[1..], Ok(())),
            ("x-hello", &long, Err(Refusal::TooLarge)),
            ("", b"a", Err(Refusal::Invalid)),
            ("x hello", b"a", Err(Refusal::Invalid)),
            ("x-h\u{e9}llo", b"a", Err(Refusal::Invalid)),
            ("x-hello", b"a\r\nset-cookie: b", Err(Refusal::Invalid)),
            ("x-hello", b"a\0", Err(Refusal::Invalid)),
            (":path", b"/admin", Err(Refusal::Forbidden)),
            ("Transfer-Encoding", b"chunked", Err(Refusal::Forbidden)),
            ("content-length", b"1", Err(Refusal::Forbidden)),
            ("Keep-Alive", b"1", Err(Refusal::Forbidden)),
            ("upgrade", b"h2c", Err(Refusal::Forbidden)),
        ] {
            assert_eq!(check(name, value).map(drop), expected, "{name}");
        }
    }

    #[test]
    fn a_message_takes_a_bounded_number_of_fields() {
        let mut headers = HeaderMap::new();
        for index in 0..MOST_FIELDS {
            let field = check(&format!("x-{index}"), b"").unwrap();
            assert_eq!(append(&mut headers, field), Ok(()));
        }
        assert_eq!(
            append(&mut headers, check("x-0", b"").unwrap()),
            Err(Refusal::TooLarge)
        );
        assert_eq!(
            set(&mut headers, check("y", b"").unwrap()),
            Err(Refusal::TooLarge)
        );
        assert_eq!(set(&mut headers, check("x-0", b"new").unwrap()), Ok(()));
        assert!(!remove(&mut headers, "connection"));
        assert!(remove(&mut headers, "X-0") && !remove(&mut headers, "x-0"));
    }
}
