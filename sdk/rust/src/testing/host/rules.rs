//! What may be set: the limits and forms of `wit/exchange.wit`.

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::Refusal;

/// Header fields per message.
const MOST_FIELDS: usize = 128;
/// Bytes of a header's value.
const LARGEST_VALUE: usize = 64 << 10;
/// Bytes of a path and its query.
const LONGEST_PATH: usize = 8 << 10;
const LONGEST_ATTRIBUTE_NAME: usize = 128;
const LARGEST_ATTRIBUTE: usize = 8 << 10;

/// Fields that the gateway owns.
const FORBIDDEN: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
];

/// 200 to 599.
pub(super) fn status(code: u16) -> Result<StatusCode, Refusal> {
    match code {
        200..=599 => StatusCode::from_u16(code).map_err(|_| Refusal::Invalid),
        _ => Err(Refusal::Invalid),
    }
}

/// Begins with `/` and holds what a request line may.
pub(super) fn check_path(path: &str) -> Result<(), Refusal> {
    if path.len() > LONGEST_PATH {
        return Err(Refusal::TooLarge);
    }
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"#\\^`<>".contains(&byte);
    let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
    let escapes_are_whole = path.split('%').skip(1).all(|escape| {
        let mut bytes = escape.bytes();
        hex(bytes.next()) && hex(bytes.next())
    });
    valid(path.starts_with('/') && path.bytes().all(allowed) && escapes_are_whole)
}

/// A dotted lower-case name, and a value of a bounded size.
pub(super) fn check_attribute(name: &str, value: &str) -> Result<(), Refusal> {
    if name.len() > LONGEST_ATTRIBUTE_NAME || value.len() > LARGEST_ATTRIBUTE {
        return Err(Refusal::TooLarge);
    }
    let word = |word: &str| {
        let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        !word.is_empty() && word.bytes().all(letter)
    };
    valid(name.split('.').all(word))
}

fn valid(valid: bool) -> Result<(), Refusal> {
    if valid { Ok(()) } else { Err(Refusal::Invalid) }
}

/// A field that is valid and not the gateway's own.
pub(super) fn checked(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), Refusal> {
    if name.starts_with(':')
        || FORBIDDEN
            .iter()
            .any(|owned| name.eq_ignore_ascii_case(owned))
    {
        return Err(Refusal::Forbidden);
    }
    let name = HeaderName::try_from(name).map_err(|_| Refusal::Invalid)?;
    if value.len() > LARGEST_VALUE {
        return Err(Refusal::TooLarge);
    }
    let value = HeaderValue::from_bytes(value).map_err(|_| Refusal::Invalid)?;
    Ok((name, value))
}

/// Sets a field in place of all of its name.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), Refusal> {
    let (name, value) = checked(name, value)?;
    if headers.len() >= MOST_FIELDS && !headers.contains_key(&name) {
        return Err(Refusal::TooLarge);
    }
    headers.insert(name, value);
    Ok(())
}

/// Adds a field to those of its name.
pub(super) fn append(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), Refusal> {
    let (name, value) = checked(name, value)?;
    if headers.len() >= MOST_FIELDS {
        return Err(Refusal::TooLarge);
    }
    headers.append(name, value);
    Ok(())
}

/// Removes a field; those that the gateway owns stay.
pub(super) fn remove(headers: &mut HeaderMap, name: &str) -> bool {
    checked(name, b"").is_ok_and(|(name, _)| headers.remove(name).is_some())
}
