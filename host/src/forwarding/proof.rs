//! What holds of the fields of any request that is passed on.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::exchange::Scheme;

use super::{ClientFields, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use super::{is_hop_by_hop, request_id, strip_hop_by_hop};

/// Any fields, one a line: what goes upstream says of the client what the gateway
/// knows, once, and nothing that means one connection only.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(lines: &[u8], address: [u8; 16]) {
    let mut headers = fields(lines);
    let id = request_id(&headers);
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'{');
    assert!((1..=128).contains(&id.as_str().len()) && id.as_str().bytes().all(plain));

    strip_hop_by_hop(&mut headers, false);
    assert!(!headers.keys().any(is_hop_by_hop));
    let before: Vec<HeaderName> = headers.keys().cloned().collect();
    strip_hop_by_hop(&mut headers, false);
    assert!(headers.keys().eq(&before), "nothing is left to strip");

    let host = HeaderValue::from_static("Example.com:8080");
    for (client, scheme) in [
        (address.into(), Scheme::Https),
        (
            [address[0], address[1], address[2], address[3]].into(),
            Scheme::Http,
        ),
    ] {
        let fields: ClientFields = ClientFields::new(client, scheme);
        let mut headers = headers.clone();
        if fields.apply(&mut headers, &host).is_err() {
            continue;
        }
        assert_eq!(only(&headers, X_FORWARDED_FOR), client.to_string());
        assert_eq!(only(&headers, X_FORWARDED_HOST), "Example.com:8080");
        assert_eq!(only(&headers, X_FORWARDED_PROTO), scheme.as_str());
        let forwarded = only(&headers, header::FORWARDED);
        assert!(
            forwarded.starts_with("for=") && !forwarded.contains(','),
            "{forwarded}"
        );
        assert!(forwarded.contains(&client.to_string()), "{forwarded}");
        let via = headers.get_all(header::VIA).iter().next_back();
        assert_eq!(via.map(HeaderValue::as_bytes), Some(&b"1.1 portcullis"[..]));
        assert!(
            before.iter().all(|name| headers.contains_key(name)),
            "others are lost"
        );
    }
}

fn only(headers: &HeaderMap, name: HeaderName) -> &str {
    let mut values = headers.get_all(name).iter();
    let value = values.next().expect("the gateway's own field");
    assert!(values.next().is_none(), "said twice");
    value.to_str().expect("text")
}

/// The lines that are fields.
fn fields(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(100) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or(b""), parts.next().unwrap_or(b""));
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::holds;

    const LINES: [&str; 22] = [
        "connection:close, x-forwarded-for",
        "Connection:forwarded,via,host",
        "connection:\u{e9}",
        "connection: , ,",
        "x-forwarded-for:6.6.6.6",
        "X-Forwarded-For:7.7.7.7, 8.8.8.8",
        "x-forwarded-host:evil",
        "x-forwarded-proto:https",
        "forwarded:for=6.6.6.6;by=x",
        "forwarded:for=\"",
        "via:1.1 portcullis",
        "via:1.0 a, 1.1 portcullis,1.1 portcullis",
        "x-request-id:a",
        "x-request-id:",
        "x-request-id:a\"b",
        "te:trailers",
        "trailer:x",
        "upgrade:websocket",
        "keep-alive:1",
        "transfer-encoding:chunked",
        "x-secret:1",
        "client-cert:::",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn only_the_gateway_speaks_of_the_client(
            lines in vec(select(&LINES[..]), 0..12),
            address: [u8; 16],
        ) {
            holds(lines.join("\n").as_bytes(), address);
        }

        #[test]
        fn any_fields_pass(lines in vec(any::<u8>(), 0..300), address: [u8; 16]) {
            holds(&lines, address);
        }
    }
}
