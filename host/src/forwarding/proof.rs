//! What holds of the fields of any request that is passed on.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};

use crate::{config::Networks, exchange::Scheme};

use super::{CLIENT_CERT, CLIENT_CERT_CHAIN, MOST_GATEWAYS, X_REAL_IP};
use super::{ClientFields, Loops, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use super::{is_hop_by_hop, request_id, strip_hop_by_hop};

const HOST: HeaderValue = HeaderValue::from_static("Example.com:8080");

/// Any fields, one a line: what goes upstream says of the client what the gateway
/// knows, or what a proxy says that it trusts, once, and nothing that means one
/// connection only.
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

    let trusted: Networks = ["10.0.0.0/8", "fd00::/8"]
        .map(|network| network.parse().expect("a network"))
        .into_iter()
        .collect();
    let [a, b, c, d, ..] = address;
    let mut proxy = address;
    proxy[0] = 0xfd;
    let certificate = || Some(HeaderValue::from_static(":Y2VydA==:"));
    passes(&headers, &trusted, IpAddr::from(address), None);
    passes(&headers, &trusted, IpAddr::from([a, b, c, d]), Some(None));
    passes(
        &headers,
        &trusted,
        IpAddr::from([10, b, c, d]),
        Some(certificate()),
    );
    passes(&headers, &trusted, IpAddr::from(proxy), None);
}

/// An input of the fuzz target: an address, and lines.
pub(crate) fn fuzzed(input: &[u8]) {
    let (address, lines) = input.split_at(input.len().min(16));
    let mut padded = [0; 16];
    padded[..address.len()].copy_from_slice(address);
    holds(lines, padded);
}

/// Passes the fields on for a client that asks from this address, and looks at what
/// comes of them. `certificate` is none where the gateway does not know the field.
fn passes(
    before: &HeaderMap,
    trusted: &Networks,
    peer: IpAddr,
    certificate: Option<Option<HeaderValue>>,
) {
    let mut fields = ClientFields::new(peer, Scheme::Https);
    fields.trust(trusted);
    if let Some(certificate) = &certificate {
        fields.show_certificate(certificate.clone());
    }
    let told = fields.told(before);
    let is_proxy = trusted.contains(peer);
    assert_eq!(told.is_some(), is_proxy, "whose word is taken");
    let mut headers = before.clone();
    let passed = told.as_ref().unwrap_or(&fields).apply(&mut headers, &HOST);
    let ours = |line: &&[u8]| line.trim_ascii() == b"1.1 portcullis";
    let gateways = entries(before, header::VIA);
    let gateways = gateways.iter().map(Vec::as_slice).filter(ours).count();
    let expected = match gateways < MOST_GATEWAYS {
        true => Ok(gateways + 1),
        false => Err(Loops),
    };
    assert_eq!(passed, expected, "a circle");
    if passed.is_err() {
        return;
    }

    let client = client(before, peer, trusted);
    let (scheme, host) = match is_proxy {
        true => (scheme(before), host(before)),
        false => (Scheme::Https, HOST),
    };
    let host = host.to_str().expect("a host is text");
    assert_eq!(only(&headers, X_FORWARDED_FOR), client.to_string());
    assert_eq!(only(&headers, X_FORWARDED_HOST), host);
    assert_eq!(only(&headers, X_FORWARDED_PROTO), scheme.as_str());
    let node = match client {
        IpAddr::V4(_) => client.to_string(),
        IpAddr::V6(_) => format!("\"[{client}]\""),
    };
    let forwarded = format!("for={node};host=\"{host}\";proto={}", scheme.as_str());
    assert_eq!(only(&headers, header::FORWARDED), forwarded);
    if before.contains_key(X_REAL_IP) {
        assert_eq!(only(&headers, X_REAL_IP), client.to_string());
    }
    if let Some(certificate) = &certificate {
        assert_eq!(headers.get(CLIENT_CERT), certificate.as_ref());
        assert!(!headers.contains_key(CLIENT_CERT_CHAIN));
    }
    let via = values(&headers, &header::VIA);
    assert_eq!(
        via.split_last().map(|(_, others)| others),
        Some(&*values(before, &header::VIA))
    );
    assert_eq!(
        via.last().map(|value| value.as_bytes()),
        Some(&b"1.1 portcullis"[..])
    );
    others_stay(before, &headers, is_proxy, certificate.is_some());
}

/// What is not said of the client is left as it is; what others claim of it goes, unless
/// whoever says it is trusted.
fn others_stay(before: &HeaderMap, after: &HeaderMap, is_proxy: bool, knows_certificates: bool) {
    let own = [
        X_FORWARDED_FOR,
        X_FORWARDED_HOST,
        X_FORWARDED_PROTO,
        X_REAL_IP,
        header::FORWARDED,
        header::VIA,
    ];
    for name in before.keys().chain(after.keys()) {
        let claim = !is_proxy && name.as_str().starts_with("x-forwarded-");
        let certificate = *name == CLIENT_CERT || *name == CLIENT_CERT_CHAIN;
        if own.contains(name) || knows_certificates && certificate {
            continue;
        }
        let expected = if claim {
            Vec::new()
        } else {
            values(before, name)
        };
        assert_eq!(values(after, name), expected, "{name}");
    }
}

/// Whoever is trusted is believed whom it was asked by, beginning with the peer.
fn client(headers: &HeaderMap, peer: IpAddr, trusted: &Networks) -> IpAddr {
    let mut client = peer;
    for entry in entries(headers, X_FORWARDED_FOR).iter().rev() {
        match address(entry) {
            Some(address) if trusted.contains(client) => client = address,
            _ => break,
        }
    }
    client
}

fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let inner = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().ok().or_else(inner);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    address
        .or_else(with_port)
        .map(|address: IpAddr| address.to_canonical())
}

fn scheme(headers: &HeaderMap) -> Scheme {
    let said = entries(headers, X_FORWARDED_PROTO)
        .pop()
        .unwrap_or_default();
    match said.trim_ascii().to_ascii_lowercase()[..] == *b"http" {
        true => Scheme::Http,
        // Theirs, or ours.
        false => Scheme::Https,
    }
}

fn host(headers: &HeaderMap) -> HeaderValue {
    let said = entries(headers, X_FORWARDED_HOST).pop().unwrap_or_default();
    let said = said.trim_ascii();
    let foreign = |byte: &u8| matches!(byte, b'@' | b'"' | b'\\');
    match Authority::try_from(said) {
        Ok(_) if !said.iter().any(foreign) => {
            HeaderValue::from_bytes(said).expect("a part of a value is a value")
        }
        _ => HOST,
    }
}

/// The entries of a list, over all of its lines.
fn entries(headers: &HeaderMap, name: HeaderName) -> Vec<Vec<u8>> {
    let lines = headers.get_all(name).into_iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries.map(<[u8]>::to_vec).collect()
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a HeaderValue> {
    headers.get_all(name).into_iter().collect()
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

    use super::{fuzzed, holds};

    const LINES: [&str; 36] = [
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
        "client-cert-chain:::",
        "x-real-ip:6.6.6.6",
        "x-forwarded-port:1",
        "x-forwarded-for:10.0.0.1",
        "x-forwarded-for:6.6.6.6, 10.1.1.1:80",
        "x-forwarded-for:10.1.1.1, 6.6.6.6 ,[fd00::1]:80",
        "x-forwarded-for:[2001:db8::1],::ffff:10.0.0.2",
        "x-forwarded-for:unknown, 10.0.0.1",
        "x-forwarded-for:",
        "x-forwarded-host:evil, b:80",
        "x-forwarded-host:a\"b",
        "x-forwarded-proto:https, http",
        "x-forwarded-proto:gopher",
        "via:1.1 portcullis,1.1 portcullis , 1.1 portcullis,1.1 portcullis,1.1 portcullis",
    ];

    #[test]
    fn what_fuzzing_has_left_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/forwarded");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            fuzzed(&std::fs::read(path).expect("a file"));
        }
    }

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
