//! Who a proxy that is trusted says the client is: `X-Forwarded-For`, read from
//! right to left.
//!
//! Each proxy adds the address that it was asked by on the right. So what stands
//! right of an address that is trusted is true, and what an untrusted one has
//! said, left of it, is that one's own word.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, uri::Authority};

use super::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::{config::Networks, exchange::Scheme};

/// The first address from the right that is not trusted; the leftmost if all
/// are. What is no address ends the chain: whoever reported it is the last that
/// is known.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr, trusted: &Networks) -> IpAddr {
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut client = peer;
    for entry in entries {
        let Some(address) = address(entry) else {
            return client;
        };
        client = address;
        if !trusted.contains(address) {
            return client;
        }
    }
    client
}

/// What the nearest proxy says of the scheme.
pub(super) fn scheme(headers: &HeaderMap) -> Option<Scheme> {
    let said = last(headers, &X_FORWARDED_PROTO)?;
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| said.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
}

/// What the nearest proxy says of the host, if it is one.
pub(super) fn host(headers: &HeaderMap) -> Option<HeaderValue> {
    let said = last(headers, &X_FORWARDED_HOST)?;
    let authority = Authority::try_from(said).ok()?;
    match authority.as_str().contains(['@', '"', '\\']) {
        true => None,
        false => HeaderValue::from_bytes(said).ok(),
    }
}

/// The rightmost entry of a list, which the nearest proxy has made.
fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let line = headers.get_all(name).iter().next_back()?;
    let entry = line.as_bytes().rsplit(|byte| *byte == b',').next()?;
    Some(entry.trim_ascii())
}

/// `192.0.2.1`, `2001:db8::1`, and both as some write them: `192.0.2.1:80`,
/// `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match text.parse::<SocketAddr>() {
        Ok(socket) => socket.ip(),
        Err(_) => bare.unwrap_or(text).parse().ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &str) {
        let trusted: Networks = ["10.0.0.0/8", "fd00::/8"]
            .map(|network| network.parse().expect("a network"))
            .into_iter()
            .collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = line.parse().expect("a value");
            headers.append(X_FORWARDED_FOR, line);
        }
        let peer = [10, 0, 0, 1].into();
        let found = client(&headers, peer, &trusted).to_string();
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn the_chain_is_read_from_the_right_to_the_first_that_is_not_trusted() {
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
            (&["6.6.6.6,192.0.2.1, 10.0.0.2 ,10.0.0.3"], "192.0.2.1"),
            (&["6.6.6.6", "192.0.2.1", "10.0.0.2"], "192.0.2.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["192.0.2.1:4711, [fd00::1]:80"], "192.0.2.1"),
            (&["2001:db8::1, [fd00::1]"], "2001:db8::1"),
            (&["::ffff:192.0.2.1, ::ffff:10.0.0.9"], "192.0.2.1"),
        ] {
            check(lines, expected);
        }
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        for (lines, expected) in [
            (&["6.6.6.6, unknown"][..], "10.0.0.1"),
            (&["6.6.6.6, , 10.0.0.2"], "10.0.0.2"),
            (&["6.6.6.6, \u{e9}, 10.0.0.2"], "10.0.0.2"),
            (&["6.6.6.6, _hidden, 10.0.0.2"], "10.0.0.2"),
            (&["6.6.6.6", ""], "10.0.0.1"),
            (&["1.2.3"], "10.0.0.1"),
        ] {
            check(lines, expected);
        }
    }
}
