//! What a plugin may make of a message: header fields, a status, a path.
//!
//! Checked as a client's would be, so that whatever a plugin says makes a valid
//! head or is refused. Knows nothing of how it is said.

#[cfg(any(test, fuzzing))]
pub(crate) mod proof;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};

use super::super::wit::Refusal;

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

/// The longest path with query that may be set, in bytes.
const LONGEST_PATH: usize = 8 << 10;

/// A name and a value, if a plugin may set them.
pub(super) fn check(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), Refusal> {
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

/// A status that a client may get as the last word.
pub(super) fn status(status: u16) -> Result<StatusCode, Refusal> {
    match status {
        200..=599 => StatusCode::from_u16(status).map_err(|_| Refusal::Invalid),
        _ => Err(Refusal::Invalid),
    }
}

/// The same with another path, and with another query if the path holds one.
pub(super) fn with_path(uri: &Uri, path: &str) -> Result<Uri, Refusal> {
    let joined = match uri.query() {
        Some(query) if !path.contains('?') => format!("{path}?{query}"),
        _ => path.to_owned(),
    };
    if joined.len() > LONGEST_PATH {
        return Err(Refusal::TooLarge);
    }
    if !path.starts_with('/') || !joined.bytes().all(allowed) || !escapes_are_whole(&joined) {
        return Err(Refusal::Invalid);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(joined).map_err(|_| Refusal::Invalid)?);
    Uri::from_parts(parts).map_err(|_| Refusal::Invalid)
}

/// What RFC 3986 allows in a path and a query, and what clients send there
/// all the same and no server reads otherwise: `[`, `]`, `|`, `"`, `{`, `}`.
fn allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%[]|\"{}".contains(&byte)
}

fn escapes_are_whole(text: &str) -> bool {
    let whole = |escape: &str| matches!(escape.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    text.split('%').skip(1).all(whole)
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

    #[test]
    fn a_path_is_set_whole_or_not_at_all() {
        let uri = Uri::from_static("/a/b?c=d");
        let long = format!("/{}", "x".repeat(LONGEST_PATH));
        for (path, expected) in [
            ("/x", Ok("/x?c=d")),
            ("/x?y", Ok("/x?y")),
            ("/x?", Ok("/x?")),
            ("/x%20y/{z}", Ok("/x%20y/{z}?c=d")),
            ("", Err(Refusal::Invalid)),
            ("x", Err(Refusal::Invalid)),
            ("http://other/x", Err(Refusal::Invalid)),
            ("/x#y", Err(Refusal::Invalid)),
            ("/x y", Err(Refusal::Invalid)),
            ("/x\\y", Err(Refusal::Invalid)),
            ("/x\r\nhost: y", Err(Refusal::Invalid)),
            ("/\u{e9}", Err(Refusal::Invalid)),
            ("/x%2", Err(Refusal::Invalid)),
            ("/x%zz", Err(Refusal::Invalid)),
            (&long, Err(Refusal::TooLarge)),
        ] {
            let set = with_path(&uri, path).map(|uri| uri.to_string());
            assert_eq!(set, expected.map(str::to_owned), "{path}");
        }
    }
}
