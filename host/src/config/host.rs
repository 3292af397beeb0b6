//! Reader of the hosts that a route matches.

use std::net::Ipv6Addr;

use super::{reader::Item, scalar};

/// The longest host name (RFC 1035).
const LONGEST: usize = 253;

/// An exact host, or `*.` and a host; lower-case afterwards.
pub(super) fn host(item: &Item<'_>) -> Option<String> {
    let text = scalar::text(item)?;
    let name = text.strip_prefix("*.").unwrap_or(text);
    if is_host(name) && !(text != name && name.starts_with('[')) {
        return Some(text.to_ascii_lowercase());
    }
    let hint = if text == "*" {
        "leave `host` out to match every host"
    } else if name.contains('*') {
        "`*.` stands at the beginning only, for one or more labels"
    } else if name.contains("://") || name.contains('/') {
        "only the host, without scheme and path: `api.example.com`"
    } else if name.contains(':') {
        "without the port: `api.example.com`, an IPv6 address as `[::1]`"
    } else {
        "such as `api.example.com` or `*.example.com`"
    };
    item.mistake(format!("{} is not a host", item.shown(text)), hint)
}

/// A host name, an IPv4 address, or an IPv6 address in brackets.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    text.len() <= LONGEST && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}
