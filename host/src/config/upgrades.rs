//! Reader of the protocols that a route lets requests change to.

use std::cell::RefCell;

use super::{Diagnostic, Diagnostics, Protocol, Route, Service, reader::Item, scalar::text};

/// Names of protocols, in lower case, each once (RFC 9110 §7.8).
pub(super) fn upgrades(item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.list("`[websocket]`")?;
    let mut protocols = Vec::with_capacity(items.len());
    for item in &items {
        let protocol = protocol(item)?;
        if protocols.contains(&protocol) {
            return item.mistake(format!("`{protocol}` is there twice"), "keep one of them");
        }
        protocols.push(protocol);
    }
    Some(protocols)
}

/// One name. Those of HTTP itself are refused: through such a tunnel requests
/// would pass that no route and no filter sees.
fn protocol(item: &Item<'_>) -> Option<String> {
    let protocol = text(item)?.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&byte);
    if protocol.is_empty() || !protocol.bytes().all(token) {
        return item.mistake(
            format!("{} is not the name of a protocol", item.shown(&protocol)),
            "such as `websocket`",
        );
    }
    let name = protocol.split('/').next().unwrap_or_default();
    match name {
        "h2c" | "h2" | "h3" | "http" | "tls" | "connect-udp" | "connect-ip" | "connect-tcp" => item
            .mistake(
                format!("`{protocol}` would carry what no route and no filter sees"),
                "only protocols that carry no requests of their own, such as `websocket`",
            ),
        _ => Some(protocol),
    }
}

/// The only protocol that HTTP/2 has a way to change to (RFC 8441).
const WEBSOCKET: &str = "websocket";

/// Notes routes whose requests change protocol on the way to a service that is
/// spoken to in HTTP/2, where there is no such change but to one.
pub(super) fn note_upgrades_to_http2(
    routes: &[Route],
    services: &[Service],
    mistakes: &RefCell<Diagnostics>,
) {
    for route in routes {
        let mut protocols = route.upgrades.iter();
        let Some(protocol) = protocols.find(|protocol| *protocol != WEBSOCKET) else {
            continue;
        };
        let Some(name) = &route.service else {
            continue;
        };
        let mut services = services.iter();
        if services.any(|of| of.name == *name && of.protocol == Protocol::Http2) {
            let message =
                format!("the service {name} is spoken to in HTTP/2, which has no `{protocol}`");
            let hint =
                "only `websocket`; or `protocol: http1` for the service, or `auto` with `tls`";
            let key = format!("routes.{}.upgrades", route.name);
            let mistake = Diagnostic::new(route.at, key, message).hint(hint);
            mistakes.borrow_mut().push(mistake);
        }
    }
}
