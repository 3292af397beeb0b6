//! Readers of addresses: of listeners (`ip:port`) and of instances (`host:port`).

use std::net::SocketAddr;

use super::{host::is_host, reader::Item, scalar};

/// The address of a listener.
pub(super) fn socket(item: &Item<'_>) -> Option<SocketAddr> {
    let text = scalar::text(item)?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let hint = match text.strip_prefix("localhost:").or(text.strip_prefix(':')) {
        Some(port) if port.parse::<u16>().is_ok() => {
            format!("an IP address and a port: `127.0.0.1:{port}`, `0.0.0.0:{port}` for all")
        }
        _ => "an IP address and a port: `127.0.0.1:8080`, `[::1]:8080`".to_owned(),
    };
    item.mistake(format!("{} is not an address", item.shown(text)), hint)
}

/// The address of an instance; a host name is resolved later.
pub(super) fn upstream(item: &Item<'_>) -> Option<String> {
    let text = scalar::text(item)?;
    if let Some((host, port)) = text.rsplit_once(':')
        && is_host(host)
        && port.parse::<u16>().is_ok_and(|port| port != 0)
    {
        return Some(text.to_ascii_lowercase());
    }
    let hint = if text.contains("://") {
        "only host and port, without scheme and path: `127.0.0.1:9001`"
    } else {
        "a host or IP address and a port: `127.0.0.1:9001`, `users.internal:80`, `[::1]:9001`"
    };
    item.mistake(format!("{} is not an address", item.shown(text)), hint)
}
