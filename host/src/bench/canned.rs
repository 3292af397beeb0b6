//! The exchange that is measured with, again and again: a request as the proxy
//! would hand it to the filters, and an upstream's answer.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use crate::{
    exchange::{ClientAddr, Exchange, Phase, RequestId, ResponseHead, Scheme, ServiceIndex},
    forwarding::{self, ClientFields, X_REQUEST_ID},
    router::Found,
};

use super::{request::Request, scene::Scene};

/// The client's address: one of those set aside for documentation (RFC 5737).
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The upstream's answer: its head, and the size of its body.
const RESPONSE: [(HeaderName, &str); 7] = [
    (header::CONTENT_TYPE, "application/json"),
    (header::CONTENT_LENGTH, "1024"),
    (header::DATE, "Thu, 01 Jan 2026 00:00:00 GMT"),
    (header::SERVER, "upstream"),
    (header::CACHE_CONTROL, "private, max-age=60"),
    (header::ETAG, "\"0123456789abcdef\""),
    (header::VARY, "accept-encoding"),
];
pub(super) const RESPONSE_BYTES: u64 = 1_024;

/// One exchange to make copies of.
pub(super) struct Canned {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    host: Box<str>,
    request_id: RequestId,
    parameters: Parameters,
    service: Option<ServiceIndex>,
    response: HeaderMap,
}

impl Canned {
    /// Finds the request's route, which has to be the scene's.
    pub(super) fn new(request: &Request, scene: &Scene) -> Result<Self, String> {
        let parameters = parameters(request, scene)?;
        let mut headers = request.headers.clone();
        forwarding::strip_hop_by_hop(&mut headers, false);
        headers.remove(header::EXPECT);
        ClientFields::new(CLIENT, Scheme::Http)
            .apply(&mut headers, &request.host_field)
            .map_err(|forwarding::Loops| "the gateway would refuse it: it loops".to_owned())?;
        let request_id = forwarding::request_id(&headers);
        headers.insert(X_REQUEST_ID, request_id.0.clone());
        let response = RESPONSE.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Ok(Self {
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers,
            host: request.host.clone(),
            request_id,
            parameters,
            service: scene.route().service,
            response: response.into_iter().collect(),
        })
    }

    /// The exchange as it comes to the first filter.
    pub(super) fn exchange(&self, scene: &Scene) -> Box<Exchange> {
        Box::new(Exchange {
            phase: Phase::Request,
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            host: self.host.clone(),
            scheme: Scheme::Http,
            client: ClientAddr(CLIENT),
            request_id: self.request_id.clone(),
            route: scene.index(),
            parameters: self.parameters.clone(),
            service: self.service,
            ..Exchange::empty()
        })
    }

    /// The upstream's answer.
    pub(super) fn response(&self) -> ResponseHead {
        ResponseHead {
            status: StatusCode::OK,
            headers: self.response.clone(),
        }
    }
}

/// Names and values.
type Parameters = Vec<(Box<str>, Box<str>)>;

/// The parameters of the request's path.
fn parameters(request: &Request, scene: &Scene) -> Result<Parameters, String> {
    let Request {
        method,
        uri,
        headers,
        host,
        origin,
        ..
    } = request;
    let snapshot = scene.snapshot();
    let name = |index: u32| snapshot.config.routes[index as usize].name.as_str();
    let asked = name(scene.index().0);
    let shown = format!("{origin}: {method} {uri} of host {host}");
    match snapshot
        .router
        .find(method, host, uri.path(), uri.query(), headers)
    {
        Found::Route { route, parameters } if route == scene.index() => Ok(parameters
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()),
        Found::Route { route, .. } => Err(format!(
            "{shown}: goes to the route `{}`, not to `{asked}`\n  hint: give a request that \
             goes there with --request FILE",
            name(route.0)
        )),
        Found::MethodNotAllowed { .. } => Err(format!(
            "{shown}: the route does not take this method\n  hint: see the `match` of `{asked}`"
        )),
        Found::NotFound => Err(format!(
            "{shown}: no route matches this request\n  hint: see the `match` of `{asked}`"
        )),
    }
}
