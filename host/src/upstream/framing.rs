//! Whether a response's length is beyond doubt.
//!
//! hyper resolves what RFC 9112 §6.3 lets a recipient resolve. A gateway
//! passes responses on to others who may resolve it otherwise, so what is
//! ambiguous is refused here, and the connection with it.

use http::{HeaderValue, Response, StatusCode, header};

/// How a response's framing is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("more than one content-length")]
    Lengths,
    #[error("content-length beside transfer-encoding")]
    LengthAndEncoding,
    #[error("a transfer-encoding other than chunked")]
    Encoding,
    #[error("a change of protocol that was not asked for")]
    Upgrade,
    #[error("more header fields than may be")]
    Fields,
}

/// Refuses what is ambiguous, and 101, since that was not asked for.
pub(super) fn check<T>(response: &Response<T>) -> Result<(), Fault> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Fault::Upgrade);
    }
    // One look at each field costs less than asking for each by name.
    let (mut lengths, mut encodings) = (Some(0), (0, true));
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH {
            let digits = value.as_bytes().iter().all(u8::is_ascii_digit);
            lengths = lengths.filter(|_| digits).map(|count| count + 1);
        } else if *name == header::TRANSFER_ENCODING {
            let chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
            encodings = (encodings.0 + 1, encodings.1 && chunked);
        }
    }
    match (lengths, encodings) {
        (None | Some(2..), _) => Err(Fault::Lengths),
        (_, (0, _)) => Ok(()),
        (Some(1), _) => Err(Fault::LengthAndEncoding),
        (_, (1, true)) => Ok(()),
        _ => Err(Fault::Encoding),
    }
}

/// Refuses a change to any other protocol than those that were asked for
/// (RFC 9110 §7.8).
pub(super) fn check_switch<T>(
    response: &Response<T>,
    asked: Option<&HeaderValue>,
) -> Result<(), Fault> {
    let asked = asked.map_or(&b""[..], HeaderValue::as_bytes);
    let mut chosen = response.headers().get_all(header::UPGRADE).iter();
    match (chosen.next(), chosen.next()) {
        (Some(one), None) if names(asked).any(|name| name.eq_ignore_ascii_case(one.as_bytes())) => {
            Ok(())
        }
        _ => Err(Fault::Upgrade),
    }
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Refuses a response of HTTP/2 with more fields than one of HTTP/1.1 may have,
/// where hyper counts.
pub(super) fn check_count<T>(response: &Response<T>, most: usize) -> Result<(), Fault> {
    match response.headers().len() > most {
        true => Err(Fault::Fields),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    type Fields = &'static [(HeaderName, &'static str)];

    const LENGTH: HeaderName = header::CONTENT_LENGTH;
    const ENCODING: HeaderName = header::TRANSFER_ENCODING;

    #[test]
    fn refuses_what_is_ambiguous() {
        let cases: &[(Fields, Result<(), Fault>)] = &[
            (&[], Ok(())),
            (&[(LENGTH, "5")], Ok(())),
            (&[(ENCODING, "Chunked")], Ok(())),
            (&[(LENGTH, "5"), (LENGTH, "5")], Err(Fault::Lengths)),
            (&[(LENGTH, "5, 5")], Err(Fault::Lengths)),
            (&[(LENGTH, "+5")], Err(Fault::Lengths)),
            (
                &[(LENGTH, "5"), (ENCODING, "chunked")],
                Err(Fault::LengthAndEncoding),
            ),
            (&[(ENCODING, "gzip, chunked")], Err(Fault::Encoding)),
            (
                &[(ENCODING, "chunked"), (ENCODING, "chunked")],
                Err(Fault::Encoding),
            ),
            (&[(ENCODING, "identity")], Err(Fault::Encoding)),
        ];
        for (fields, expected) in cases {
            let mut response = Response::new(());
            for (name, value) in *fields {
                let value = HeaderValue::from_static(value);
                response.headers_mut().append(name, value);
            }
            assert_eq!(check(&response), *expected, "{fields:?}");
        }
    }

    #[test]
    fn a_change_is_to_what_was_asked_for() {
        let asked = HeaderValue::from_static("websocket, other/2");
        for (chosen, expected) in [
            (&["websocket"][..], Ok(())),
            (&["WebSocket"], Ok(())),
            (&["other/2"], Ok(())),
            (&["other"], Err(Fault::Upgrade)),
            (&["h2c"], Err(Fault::Upgrade)),
            (&["websocket, h2c"], Err(Fault::Upgrade)),
            (&["websocket", "h2c"], Err(Fault::Upgrade)),
            (&[""], Err(Fault::Upgrade)),
            (&[], Err(Fault::Upgrade)),
        ] {
            let mut response = Response::new(());
            for protocol in chosen {
                let value = HeaderValue::from_static(protocol);
                response.headers_mut().append(header::UPGRADE, value);
            }
            assert_eq!(
                check_switch(&response, Some(&asked)),
                expected,
                "{chosen:?}"
            );
        }
    }

    #[test]
    fn refuses_another_protocol() {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        assert_eq!(check(&response), Err(Fault::Upgrade));
    }
}
