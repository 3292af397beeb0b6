//! What gRPC wants of a gateway: a client's deadline is kept, and an answer that
//! is the gateway's own is one that clients of gRPC understand
//! (the protocol: `PROTOCOL-HTTP2.md` of gRPC).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The most digits of a deadline.
const DIGITS: usize = 8;

/// True for a call of gRPC: `application/grpc`, also with a format or parameters.
pub(super) fn is_call(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let rest = value.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// How long the client wants to wait; none if it does not say, or not
/// understandably.
pub(super) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    if number.is_empty() || number.len() > DIGITS || !digits {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 60 * 60)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Makes the head of an answer to a call one of gRPC, which has no body then.
/// False if it is one already, made by a filter that knows gRPC.
pub(super) fn translate(status: &mut StatusCode, headers: &mut HeaderMap) -> bool {
    if is_call(headers) {
        return false;
    }
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(STATUS, HeaderValue::from(code(*status)));
    // Reasons are plain text: nothing in them needs to be escaped.
    let reason = status.canonical_reason().unwrap_or("unknown");
    headers.insert(MESSAGE, HeaderValue::from_static(reason));
    *status = StatusCode::OK;
    true
}

/// The status of gRPC that stands for one of HTTP
/// (`http-grpc-status-mapping.md`); what the gateway knows better is told better.
fn code(status: StatusCode) -> u16 {
    const UNKNOWN: u16 = 2;
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status.as_u16() {
        200..=299 => 0,
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 | 405 | 501 => UNIMPLEMENTED,
        408 | 504 => DEADLINE_EXCEEDED,
        413 | 431 => RESOURCE_EXHAUSTED,
        429 | 502 | 503 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_call_is_told_by_its_content_type() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(
                is_call(&headers(header::CONTENT_TYPE, value)),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn deadlines_have_units_and_bounds() {
        for (value, expected) in [
            ("2H", Some(Duration::from_secs(7_200))),
            ("3M", Some(Duration::from_secs(180))),
            ("1S", Some(Duration::from_secs(1))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("1s", None),
            ("-1S", None),
            ("1.5S", None),
        ] {
            assert_eq!(timeout(&headers(TIMEOUT, value)), expected, "{value}");
        }
    }
}
