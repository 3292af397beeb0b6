//! A request that asks to change to another protocol: over HTTP/1.1 by `Upgrade`
//! (RFC 9110 §7.8), over HTTP/2 by an extended CONNECT (RFC 8441). From here on it is
//! the former, whichever it was; `upstream` makes of it what its service speaks.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header,
    request::Parts,
};
use hyper::ext::Protocol;

use super::{Flight, ResponseBody, Tunnel, body::Content, response, stopped};
use crate::{exchange::ResponseHead, respond::Error, upstream::websocket_accept};

const WEBSOCKET: &str = "websocket";

/// What a request asks to change to, before its route is known.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nothing, or nobody has looked yet: `Upgrade` says it.
    ByField(Version),
    /// The protocol of an extended CONNECT.
    ByConnect(Protocol),
}

impl Asked {
    /// Takes note of an extended CONNECT, and makes a request of it that reads
    /// like any other (RFC 8441 §5): `GET`, as it would be over HTTP/1.1.
    pub(super) fn of(parts: &mut Parts) -> Self {
        if parts.method == Method::CONNECT
            && let Some(protocol) = parts.extensions.remove::<Protocol>()
        {
            parts.method = Method::GET;
            return Self::ByConnect(protocol);
        }
        Self::ByField(parts.version)
    }

    /// What of it the route lets pass. A field that it does not let pass is one
    /// between client and gateway, as if it were not there.
    ///
    /// # Errors
    ///
    /// A CONNECT that the route does not let pass: there is no request left then.
    pub(super) fn passed(
        self,
        headers: &HeaderMap,
        route: &[String],
        idle: Duration,
    ) -> Result<Option<Box<Upgrade>>, Error> {
        match self {
            Self::ByField(_) if route.is_empty() => Ok(None),
            Self::ByField(version) => Ok(by_field(version, headers, route)
                .map(|protocols| Box::new(Upgrade::new(protocols, None, idle)))),
            Self::ByConnect(protocol) => {
                let passes = protocol.as_str() == WEBSOCKET && is_among(WEBSOCKET, route);
                match passes {
                    true => {
                        let key = STANDARD.encode(fastrand::u128(..).to_be_bytes());
                        let websocket = HeaderValue::from_static(WEBSOCKET);
                        Ok(Some(Box::new(Upgrade::new(websocket, Some(key), idle))))
                    }
                    false => Err(Error::NotUpgraded),
                }
            }
        }
    }
}

/// The protocols of `Upgrade` that the route lets pass, as the client wrote them.
/// None for a client of HTTP/1.0, which does not know the field, and for a request
/// with a body: nobody could say where that ends and the other protocol begins.
fn by_field(version: Version, headers: &HeaderMap, route: &[String]) -> Option<HeaderValue> {
    let asks =
        tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let length = headers.get(header::CONTENT_LENGTH);
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|length| length.as_bytes() != b"0");
    if version != Version::HTTP_11 || !asks || has_body {
        return None;
    }
    let protocols = tokens(headers, &header::UPGRADE);
    let protocols: Vec<&str> = protocols.filter(|of| is_among(of, route)).collect();
    match protocols.is_empty() {
        true => None,
        false => HeaderValue::from_str(&protocols.join(", ")).ok(),
    }
}

fn is_among(protocol: &str, route: &[String]) -> bool {
    route.iter().any(|of| of.eq_ignore_ascii_case(protocol))
}

/// The members of a field that is a list.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// A request that may change to another protocol.
#[derive(Debug)]
pub(super) struct Upgrade {
    protocols: HeaderValue,
    /// That of a WebSocket's handshake which the gateway makes, since its client
    /// speaks HTTP/2, where there is none (RFC 8441 §5).
    key: Option<String>,
    /// How long the tunnel may be without a byte.
    idle: Duration,
    /// What the service has changed to.
    chosen: Option<HeaderValue>,
}

impl Upgrade {
    fn new(protocols: HeaderValue, key: Option<String>, idle: Duration) -> Self {
        Self {
            protocols,
            key,
            idle,
            chosen: None,
        }
    }

    /// Asks the service.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocols.clone());
        let key = self.key.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(key)) = key {
            headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
    }

    /// Hears what the service says.
    ///
    /// # Errors
    ///
    /// It takes a handshake of the gateway's own without having understood it, or
    /// answers a CONNECT as if it were a plain request.
    pub(super) fn hear(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Error> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return match self.key.is_some() && status.is_success() {
                true => Err(Error::Upstream),
                false => Ok(()),
            };
        }
        self.chosen = headers.get(header::UPGRADE).cloned();
        let Some(key) = &self.key else {
            return Ok(());
        };
        let proof = headers.get(header::SEC_WEBSOCKET_ACCEPT);
        match proof
            .is_some_and(|proof| proof.as_bytes() == websocket_accept(key.as_bytes()).as_bytes())
        {
            true => Ok(()),
            false => Err(Error::Upstream),
        }
    }

    /// Makes the head that says so to the client.
    fn say(self, head: &mut ResponseHead) {
        let headers = &mut head.headers;
        // There is no body, whatever a service says of it (RFC 9110 §8.6).
        headers.remove(header::CONTENT_LENGTH);
        if self.key.is_some() {
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            head.status = StatusCode::OK;
            return;
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(chosen) = self.chosen {
            headers.insert(header::UPGRADE, chosen);
        }
    }

    /// The response to the request: it did change, or the response is like any other.
    pub(super) fn answer(
        self,
        mut flight: Box<Flight>,
        mut head: ResponseHead,
        mut content: Content,
        timeout: Duration,
    ) -> Response<ResponseBody> {
        let id = flight.request_id();
        let switched = match &mut content {
            Content::Upstream(body) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                body.take_switched()
            }
            _ => None,
        };
        if let Some(switched) = switched {
            let idle = self.idle;
            self.say(&mut head);
            let body = ResponseBody::tunnel(Tunnel::new(flight, switched, idle));
            return response(head.status, head.headers, &id, body);
        }
        if self.misleads(head.status) {
            // A filter's doing: of a service such a status is refused before.
            (head, content) = stopped(&mut flight, Error::Upstream.into());
            flight.outcome.status = head.status.as_u16();
        }
        let body = ResponseBody::new(content, flight, timeout);
        response(head.status, head.headers, &id, body)
    }

    /// Whether the client would take this status for the beginning of a tunnel,
    /// though there is none.
    fn misleads(&self, status: StatusCode) -> bool {
        match self.key {
            Some(_) => status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS,
            None => status == StatusCode::SWITCHING_PROTOCOLS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter().cloned();
        fields
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    const UPGRADE: HeaderName = header::UPGRADE;
    const CONNECTION: HeaderName = header::CONNECTION;

    #[test]
    fn a_field_passes_what_the_route_lets_pass() {
        let route = ["websocket".to_owned(), "other/2".to_owned()];
        let own = (CONNECTION, "keep-alive, Upgrade");
        for (fields, expected) in [
            (
                &[own.clone(), (UPGRADE, "websocket")][..],
                Some("websocket"),
            ),
            (&[own.clone(), (UPGRADE, "WebSocket")], Some("WebSocket")),
            (&[own.clone(), (UPGRADE, "h2c")], None),
            (
                &[own.clone(), (UPGRADE, "h2c, other/2,websocket")],
                Some("other/2, websocket"),
            ),
            (&[own.clone(), (UPGRADE, "other")], None),
            (&[(UPGRADE, "websocket")], None),
            (&[(CONNECTION, "close"), (UPGRADE, "websocket")], None),
            (std::slice::from_ref(&own), None),
            (
                &[
                    own.clone(),
                    (UPGRADE, "websocket"),
                    (header::CONTENT_LENGTH, "1"),
                ],
                None,
            ),
            (
                &[
                    own.clone(),
                    (UPGRADE, "websocket"),
                    (header::CONTENT_LENGTH, "0"),
                ],
                Some("websocket"),
            ),
            (
                &[
                    own.clone(),
                    (UPGRADE, "websocket"),
                    (header::TRANSFER_ENCODING, "chunked"),
                ],
                None,
            ),
        ] {
            let headers = headers(fields);
            let passed = by_field(Version::HTTP_11, &headers, &route);
            let passed = passed.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!(passed, expected, "{fields:?}");
            assert_eq!(by_field(Version::HTTP_10, &headers, &route), None);
            assert_eq!(by_field(Version::HTTP_11, &headers, &[]), None);
        }
    }

    #[test]
    fn a_handshake_of_the_gateways_own_has_to_be_proved() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==".to_owned();
        let websocket = HeaderValue::from_static(WEBSOCKET);
        for (status, proof, good) in [
            (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), true),
            (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOp="), false),
            (101, None, false),
            (200, None, false),
            (204, None, false),
            (302, None, true),
            (403, None, true),
        ] {
            let mut upgrade =
                Upgrade::new(websocket.clone(), Some(key.clone()), Duration::from_secs(1));
            let proof = proof.map(|proof| (header::SEC_WEBSOCKET_ACCEPT, proof));
            let headers = headers(proof.as_slice());
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                upgrade.hear(status, &headers).is_ok(),
                good,
                "{status} {headers:?}"
            );
        }
    }
}
