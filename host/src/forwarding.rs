//! What a gateway owes a message that it passes on: hop-by-hop fields go
//! (RFC 9110 §7.6.1), `Via` (§7.6.3), `Forwarded` (RFC 7239) and the
//! `X-Forwarded-*` fields come, and every request has an id.
//!
//! Called by `proxy` on each message. Fields about the client are replaced,
//! never extended: what an untrusted peer says of itself is not passed on, and
//! what a trusted proxy says (`chain`) is said again in the gateway's own words.

mod chain;
#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub(crate) mod proof;

use std::{cell::RefCell, net::IpAddr, sync::Arc};

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    config::Networks,
    exchange::{RequestId, Scheme, TlsFacts},
};

/// `X-Request-Id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// What a gateway of this kind adds to `Via`.
const VIA: HeaderValue = HeaderValue::from_static("1.1 portcullis");

/// How many gateways of this kind a request may come through. A few in a row
/// are ordinary; so many are one that is its own upstream.
const MOST_GATEWAYS: usize = 10;

/// A request came through too many gateways of this kind (RFC 9110 §7.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loops;

/// Fields that mean one connection only.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Removes what means one connection only: the fixed list, and whatever the
/// `Connection` field names. With `trailers` the field that announces those of a
/// body in chunks stays, since they pass.
///
/// Looks before it removes: most messages have none of them, and looking at
/// the names that are there costs less than asking for each that may be.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, trailers: bool) {
    if headers.keys().any(is_hop_by_hop) {
        strip_those_there(headers, trailers);
    }
}

fn strip_those_there(headers: &mut HeaderMap, trailers: bool) {
    let mut named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|option| option.trim().parse().ok())
        .collect();
    let announced = trailers && headers.contains_key(header::TRANSFER_ENCODING);
    let stays = |name: &HeaderName| announced && *name == header::TRAILER;
    let listed = headers
        .keys()
        .filter(|name| is_hop_by_hop(name) && !stays(name));
    named.extend(listed.cloned());
    for name in named {
        headers.remove(name);
    }
}

/// Whether the sender of a request takes trailers in the response (RFC 9110
/// §10.1.4).
pub fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TE).iter();
    values.any(|value| {
        let options = value.as_bytes().split(|byte| *byte == b',');
        options
            .map(<[u8]>::trim_ascii)
            .any(|option| option.eq_ignore_ascii_case(b"trailers"))
    })
}

/// Removes what a peer says of whom it stands for.
fn drop_claims(headers: &mut HeaderMap) {
    let claims = headers.keys().filter(|name| is_claim(name));
    let names: Vec<HeaderName> = claims.cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_claim(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-forwarded-")
}

/// What becomes of `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
#[derive(Debug, Clone)]
enum ClientCert {
    /// The gateway does not know these fields.
    Pass,
    /// Nobody but the gateway may say it, and it has nothing to say.
    Remove,
    /// What the gateway says.
    Set(HeaderValue),
}

impl ClientCert {
    fn apply(&self, headers: &mut HeaderMap) {
        if let Self::Pass = self {
            return;
        }
        headers.remove(CLIENT_CERT);
        headers.remove(CLIENT_CERT_CHAIN);
        if let Self::Set(value) = self {
            headers.insert(CLIENT_CERT, value.clone());
        }
    }
}

/// What is said of one client connection, rendered once and reused for each
/// of its requests.
#[derive(Debug)]
pub struct ClientFields {
    client: IpAddr,
    scheme: Scheme,
    tls: Option<Arc<TlsFacts>>,
    client_cert: ClientCert,
    /// Whose word is taken, if it is this client's.
    trusted: Option<Networks>,
    /// These are a trusted proxy's words: it may have said more.
    told: bool,
    /// The host that a trusted proxy was asked for.
    forwarded_host: Option<HeaderValue>,
    forwarded_for: HeaderValue,
    /// The host that was asked for last, and `Forwarded` for it: connections
    /// rarely change hosts.
    forwarded: RefCell<Option<(HeaderValue, HeaderValue)>>,
}

impl ClientFields {
    /// The fields for a client.
    pub fn new(client: IpAddr, scheme: Scheme) -> Self {
        Self {
            client,
            scheme,
            tls: None,
            client_cert: ClientCert::Pass,
            trusted: None,
            told: false,
            forwarded_host: None,
            forwarded_for: HeaderValue::from_str(&client.to_string())
                .expect("invariant: an address is a header value"),
            forwarded: RefCell::new(None),
        }
    }

    /// Takes the client's word on whom it stands for, if it is one of these.
    pub fn trust(&mut self, proxies: &Networks) {
        self.trusted = proxies.contains(self.client).then(|| proxies.clone());
    }

    /// The fields for whom a trusted proxy stands for in this request; none if
    /// the client is no such proxy.
    pub fn told(&self, headers: &HeaderMap) -> Option<Self> {
        let trusted = self.trusted.as_ref()?;
        let client = chain::client(headers, self.client, trusted);
        let scheme = chain::scheme(headers).unwrap_or(self.scheme);
        Some(Self {
            tls: self.tls.clone(),
            client_cert: self.client_cert.clone(),
            told: true,
            forwarded_host: chain::host(headers),
            ..Self::new(client, scheme)
        })
    }

    /// Adds what is known of the connection's TLS.
    pub fn secured(&mut self, facts: TlsFacts) {
        self.tls = Some(Arc::new(facts));
    }

    /// Says the client's certificate in `Client-Cert`, or that it has none by the
    /// field's absence: what the client itself says there is not passed on.
    pub fn show_certificate(&mut self, certificate: Option<HeaderValue>) {
        self.client_cert = match certificate {
            None => ClientCert::Remove,
            Some(value) => ClientCert::Set(value),
        };
    }

    /// What is known of the connection's TLS; none if it has none.
    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        self.tls.clone()
    }

    /// The client's address.
    pub fn client(&self) -> IpAddr {
        self.client
    }

    /// The scheme it uses.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Sets the fields on a request that goes upstream. `host` is the `Host`
    /// that the client sent.
    ///
    /// `Forwarded` and `X-Real-IP` are nobody's word but the gateway's; the latter
    /// is there only if it was before. Returns how often `Via` names gateways of this
    /// kind now.
    ///
    /// # Errors
    ///
    /// The request goes in a circle: it is not to be forwarded.
    pub fn apply(&self, headers: &mut HeaderMap, host: &HeaderValue) -> Result<usize, Loops> {
        let (mut claims, mut real_ip) = (false, false);
        for name in headers.keys() {
            claims |= is_claim(name);
            real_ip |= name == X_REAL_IP;
        }
        if claims && !self.told {
            drop_claims(headers);
        }
        let host = self.forwarded_host.as_ref().unwrap_or(host);
        headers.insert(X_FORWARDED_FOR, self.forwarded_for.clone());
        if real_ip {
            headers.insert(X_REAL_IP, self.forwarded_for.clone());
        }
        headers.insert(X_FORWARDED_HOST, host.clone());
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(self.scheme.as_str()),
        );
        headers.insert(header::FORWARDED, self.forwarded(host));
        self.client_cert.apply(headers);
        // Nearly all requests come without one, which costs no look at its values.
        let came_through_others = headers.append(header::VIA, VIA);
        let gateways = match came_through_others {
            true => gateways(headers),
            false => 1,
        };
        match gateways > MOST_GATEWAYS {
            true => Err(Loops),
            false => Ok(gateways),
        }
    }

    fn forwarded(&self, host: &HeaderValue) -> HeaderValue {
        let mut last = self.forwarded.borrow_mut();
        match &*last {
            Some((for_host, value)) if for_host == host => value.clone(),
            _ => {
                let value = forwarded_value(self.client, self.scheme, host);
                *last = Some((host.clone(), value.clone()));
                value
            }
        }
    }
}

/// Has `Via` name as many gateways of this kind as it did: who leaves out where a
/// request has been, takes from it the end of its circle (RFC 9110 §7.6.3).
pub fn insist(headers: &mut HeaderMap, count: usize) {
    for _ in gateways(headers)..count {
        headers.append(header::VIA, VIA);
    }
}

/// How many gateways of this kind `Via` names. Others may have joined its
/// lines to one.
pub fn gateways(headers: &HeaderMap) -> usize {
    let lines = headers.get_all(header::VIA).into_iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries
        .filter(|entry| entry.trim_ascii() == VIA.as_bytes())
        .count()
}

/// `for=192.0.2.1;host="example.com:80";proto=http`. The host is quoted, since
/// its colon is no token character; it holds no quote, for it was checked to
/// be an authority.
fn forwarded_value(client: IpAddr, scheme: Scheme, host: &HeaderValue) -> HeaderValue {
    let node = match client {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    };
    let mut value = BytesMut::with_capacity(64);
    value.put_slice(b"for=");
    value.put_slice(node.as_bytes());
    value.put_slice(b";host=\"");
    value.put_slice(host.as_bytes());
    value.put_slice(b"\";proto=");
    value.put_slice(scheme.as_str().as_bytes());
    HeaderValue::from_maybe_shared(value.freeze())
        .expect("invariant: made of header values and printable text")
}

/// The client's request id if it sent a well-formed one, else a new one: 128
/// random bits as 32 hexadecimal digits.
pub fn request_id(headers: &HeaderMap) -> RequestId {
    match headers.get(&X_REQUEST_ID) {
        Some(sent) if well_formed_id(sent) => RequestId(sent.clone()),
        _ => RequestId(new_id()),
    }
}

/// 1 to 128 characters that need no escaping in a log line or in JSON.
fn well_formed_id(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=128).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b))
}

fn new_id() -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    /// Bytes of so many ids are one piece of memory, which is kept for as long as one
    /// of them is. An id that has its own costs two: one for its first copy.
    const ROOM_FOR: usize = 16;
    thread_local! {
        static ROOM: RefCell<BytesMut> = RefCell::default();
    }
    let bits = fastrand::u128(..).to_be_bytes();
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bits) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    let id = ROOM.with_borrow_mut(|room| {
        if room.capacity() < text.len() {
            *room = BytesMut::with_capacity(ROOM_FOR * text.len());
        }
        room.extend_from_slice(&text);
        room.split().freeze()
    });
    HeaderValue::from_maybe_shared(id).expect("invariant: hexadecimal digits are a header value")
}
