//! One request and its response, as the pipeline and the plugins see them.
//!
//! Plain data that belongs to one request: no connection, no lock, no
//! reference to a snapshot. Names (of routes, services) are indices into the
//! tables of the snapshot that serves the request, so that an exchange can be
//! lent to a plugin's store without touching a shared reference count.

mod answer;
mod body;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

pub use answer::{Answer, AnswerBody, Broken, Part, Parts};
pub use body::{Coding, Piece, Side, Wish};

/// Index of a route in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteIndex(pub u32);

/// Index of a service in its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceIndex(pub u32);

/// The address of the client: the peer, or what a trusted proxy says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr(pub IpAddr);

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The request can still be changed.
    Request,
    /// An instance is being picked, or the request is upstream.
    Upstream,
    /// There is a response, which can still be changed.
    Response,
    /// All was sent, or the exchange failed.
    Complete,
}

/// The scheme that the client used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What plugins may know of a connection's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `1.2` or `1.3`.
    pub version: &'static str,
    /// The host that the client named before it knew whom it spoke to (SNI).
    pub server_name: Option<Box<str>>,
    /// What the client showed of itself, verified.
    pub client: Option<ClientCertificate>,
}

/// Whose certificate a client has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject (RFC 4514), such as `CN=orders,O=Example`.
    pub subject: Box<str>,
    /// The subject's alternative names, such as `DNS:a.example,URI:spiffe://b/c`.
    pub names: Box<str>,
}

impl TlsFacts {
    /// The attribute of this name.
    fn attribute(&self, name: &str) -> Option<&str> {
        let client = self.client.as_ref();
        match name.strip_prefix("tls.")? {
            "version" => Some(self.version),
            "server_name" => self.server_name.as_deref(),
            "client.subject" => client.map(|client| &*client.subject),
            "client.san" => client.map(|client| &*client.names),
            _ => None,
        }
    }
}

/// Fields that mean something before the body is read, and nothing after it
/// (RFC 9110 §6.5.1): of framing, routing, requests, authentication, the content.
const NOT_IN_TRAILERS: [HeaderName; 21] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::TE,
    header::HOST,
    header::CACHE_CONTROL,
    header::EXPECT,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    header::LOCATION,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::CONTENT_RANGE,
];

/// Whether a field may stand behind a body.
pub fn may_trail(name: &HeaderName) -> bool {
    !NOT_IN_TRAILERS.contains(name)
}

/// Drops what may not stand behind a body.
pub fn clean_trailers(trailers: &mut HeaderMap) {
    for name in &NOT_IN_TRAILERS {
        trailers.remove(name);
    }
}

/// The response's head in flight.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
}

/// A request's id: from a trusted header, or made by the gateway.
#[derive(Debug, Clone)]
pub struct RequestId(pub http::HeaderValue);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The step of a balancer, which stands in no pipeline.
pub const NO_STEP: usize = usize::MAX;

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    /// How far it has come.
    pub phase: Phase,
    /// The request's method.
    pub method: Method,
    /// Path and query, as they go upstream.
    pub uri: Uri,
    /// The request's header fields, as they go upstream.
    pub headers: HeaderMap,
    /// The host that was asked for: lower-case, without port.
    pub host: Box<str>,
    /// The scheme that was used.
    pub scheme: Scheme,
    /// Whether the client takes trailers in the response.
    pub takes_trailers: bool,
    /// What is known of the connection's TLS; none if it has none.
    pub tls: Option<Arc<TlsFacts>>,
    /// How often `Via` named gateways of this kind when the request came to its
    /// filters, this one included: whatever they make of the field, it goes on naming
    /// as many.
    pub gateways: usize,
    /// The client.
    pub client: ClientAddr,
    /// The id in `x-request-id`.
    pub request_id: RequestId,
    /// The route that matched.
    pub route: RouteIndex,
    /// Parameters of the route's path, by name.
    pub parameters: Vec<(Box<str>, Box<str>)>,
    /// Where it goes.
    pub service: Option<ServiceIndex>,
    /// The instance picked last.
    pub instance: Option<SocketAddr>,
    /// Numbers (`discovery::Instance::number`) of the instances that were tried in
    /// vain.
    pub tried: Vec<u32>,
    /// What filters noted, by name. A short list is searched faster than a map.
    pub attributes: Vec<(Box<str>, Box<str>)>,
    /// The step of the pipeline whose hook runs, by its position.
    pub step: usize,
    /// Numbers of steps' own, by position: of few steps, if of any.
    pub notes: Vec<(usize, u64)>,
    /// Fields that steps add to the response as it comes back to them.
    pub staged: Vec<(usize, HeaderName, HeaderValue)>,
    /// What steps asked of the bodies, by position.
    pub wishes: Vec<(usize, Side, Wish)>,
    /// The response's head, once there is one.
    pub response: Option<ResponseHead>,
    /// What `exchange.respond` was given in the hook that runs.
    pub answer: Option<Answer>,
}

impl Exchange {
    /// An exchange that stands for none: what a plugin's store holds while no
    /// hook runs.
    pub fn empty() -> Self {
        Self {
            phase: Phase::Complete,
            method: Method::GET,
            uri: Uri::default(),
            headers: HeaderMap::new(),
            host: Box::default(),
            scheme: Scheme::Http,
            takes_trailers: false,
            tls: None,
            gateways: 0,
            client: ClientAddr(IpAddr::from([0, 0, 0, 0])),
            request_id: RequestId(http::HeaderValue::from_static("")),
            route: RouteIndex(u32::MAX),
            parameters: Vec::new(),
            service: None,
            instance: None,
            tried: Vec::new(),
            attributes: Vec::new(),
            step: NO_STEP,
            notes: Vec::new(),
            staged: Vec::new(),
            wishes: Vec::new(),
            response: None,
            answer: None,
        }
    }

    /// Another that says the same, for when this one is lent to somewhere else.
    /// Between hooks, when there is no answer.
    pub fn copy(&self) -> Self {
        Self {
            phase: self.phase,
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            host: self.host.clone(),
            scheme: self.scheme,
            takes_trailers: self.takes_trailers,
            tls: self.tls.clone(),
            gateways: self.gateways,
            client: self.client,
            request_id: self.request_id.clone(),
            route: self.route,
            parameters: self.parameters.clone(),
            service: self.service,
            instance: self.instance,
            tried: self.tried.clone(),
            attributes: self.attributes.clone(),
            step: self.step,
            notes: self.notes.clone(),
            staged: self.staged.clone(),
            wishes: self.wishes.clone(),
            response: self.response.clone(),
            answer: None,
        }
    }

    /// Adds to the response what a step has staged for it.
    pub fn unstage(&mut self, step: usize) {
        let Some(response) = &mut self.response else {
            return;
        };
        for (_, name, value) in self.staged.extract_if(.., |(of, ..)| *of == step) {
            // A response that is full of fields goes on without this one.
            let _ = response.headers.try_append(name, value);
        }
    }

    /// What a step asked of a body.
    pub fn wishes(&self, step: usize, side: Side) -> impl Iterator<Item = Wish> {
        let own = self.wishes.iter();
        own.filter_map(move |(of, what, wish)| (*of == step && *what == side).then_some(*wish))
    }

    /// The number of the step whose hook runs.
    pub fn note(&self) -> u64 {
        let own = self.notes.iter().find(|(step, _)| *step == self.step);
        own.map_or(0, |(_, note)| *note)
    }

    /// Sets the number of the step whose hook runs.
    pub fn set_note(&mut self, note: u64) {
        match self.notes.iter_mut().find(|(step, _)| *step == self.step) {
            Some((_, old)) => *old = note,
            None => self.notes.push((self.step, note)),
        }
    }

    /// An attribute by name: what the connection says of itself, which nothing
    /// can change, or what a filter noted.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        if let Some(of_connection) = self.tls.as_ref().and_then(|tls| tls.attribute(name)) {
            return Some(of_connection);
        }
        self.attributes
            .iter()
            .find_map(|(n, value)| (&**n == name).then_some(&**value))
    }
}

/// How an exchange failed, where it did: `completion.failure` of the WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Failure {
    /// It did not.
    #[default]
    None,
    /// No instance could be connected to.
    Connect,
    /// The route's or a try's time ran out.
    Timeout,
    /// The upstream broke off or spoke malformed HTTP.
    Upstream,
    /// No healthy instance was there to try.
    Unavailable,
    /// A plugin failed, or a filter answered by itself.
    Filter,
    /// The client went away or broke off.
    Client,
}

/// The end of an exchange: `completion.outcome` of the WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The status sent; 0 if the client left before there was one.
    pub status: u16,
    /// The class of failure.
    pub failure: Failure,
    /// Whether a request reached an instance.
    pub forwarded: bool,
    /// From the request's first byte to the response's last, in microseconds.
    pub duration_us: u64,
    /// Body bytes from the client.
    pub request_bytes: u64,
    /// Body bytes to the client.
    pub response_bytes: u64,
    /// How often the request was sent upstream.
    pub attempts: u32,
}
