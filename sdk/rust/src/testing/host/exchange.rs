//! `exchange`: the request and response in flight.

use std::collections::{BTreeMap, BTreeSet};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{
    body::{InHook, Wishes},
    flight,
    rules::{append, check_attribute, check_path, remove, set, status},
    with,
};
use crate::{Answer, Refusal};

/// Bytes of an answer's body.
const LARGEST_BODY: usize = 1 << 20;
const MOST_ATTRIBUTES: usize = 64;

/// Which hook runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::testing) enum Phase {
    #[default]
    Request,
    /// An instance is picked from so many.
    Pick(usize),
    /// The request's body streams by.
    RequestBody,
    /// The request is there with its whole body.
    RequestBuffered,
    Response,
    /// The response's body streams by.
    ResponseBody,
    /// The response is there with its whole body.
    ResponseBuffered,
    Complete,
}

/// The response's head.
#[derive(Debug, Clone)]
pub(in crate::testing) struct Response {
    pub(in crate::testing) status: StatusCode,
    pub(in crate::testing) headers: HeaderMap,
}

/// The exchange in flight.
#[derive(Debug, Clone)]
pub(in crate::testing) struct Flight {
    pub(in crate::testing) phase: Phase,
    pub(in crate::testing) method: Method,
    pub(in crate::testing) path: String,
    pub(in crate::testing) query: Option<String>,
    pub(in crate::testing) host: String,
    pub(in crate::testing) scheme: String,
    pub(in crate::testing) parameters: BTreeMap<String, String>,
    pub(in crate::testing) headers: HeaderMap,
    pub(in crate::testing) client: String,
    pub(in crate::testing) request_id: String,
    pub(in crate::testing) route: String,
    pub(in crate::testing) service: Option<String>,
    pub(in crate::testing) instance: Option<String>,
    pub(in crate::testing) tried: BTreeSet<u32>,
    pub(in crate::testing) attributes: BTreeMap<String, String>,
    /// Which filter's hook runs: its address.
    pub(in crate::testing) step: usize,
    /// Filters' own numbers.
    pub(in crate::testing) notes: BTreeMap<usize, u64>,
    /// Fields that filters add to the response as it comes back to them.
    pub(in crate::testing) staged: Vec<(usize, String, Vec<u8>)>,
    pub(in crate::testing) response: Option<Response>,
    pub(in crate::testing) answer: Option<Answer>,
    /// What filters want to become of bodies.
    pub(in crate::testing) wishes: Wishes,
    /// In a hook that sees a body.
    pub(in crate::testing) body: Option<InHook>,
    /// Of the body that is looked at next.
    pub(in crate::testing) trailers: HeaderMap,
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            phase: Phase::Request,
            method: Method::GET,
            path: "/".to_owned(),
            query: None,
            host: "localhost".to_owned(),
            scheme: "http".to_owned(),
            parameters: BTreeMap::new(),
            headers: HeaderMap::new(),
            client: "127.0.0.1".to_owned(),
            request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
            route: "route".to_owned(),
            service: None,
            instance: None,
            tried: BTreeSet::new(),
            attributes: BTreeMap::new(),
            step: 0,
            notes: BTreeMap::new(),
            staged: Vec::new(),
            response: None,
            answer: None,
            wishes: Wishes::default(),
            body: None,
            trailers: HeaderMap::new(),
        }
    }
}

impl Flight {
    /// The request's fields, while they can still be changed.
    fn request(&mut self) -> Result<&mut HeaderMap, Refusal> {
        match self.phase {
            Phase::Request | Phase::RequestBuffered => Ok(&mut self.headers),
            _ => Err(Refusal::WrongPhase),
        }
    }

    /// The response, while it can be changed.
    fn response(&mut self) -> Result<&mut Response, Refusal> {
        match (self.phase, &mut self.response) {
            (Phase::Response | Phase::ResponseBuffered, Some(response)) => Ok(response),
            _ => Err(Refusal::WrongPhase),
        }
    }

    /// Adds to the response what the filter whose hook runs has staged for it.
    pub(in crate::testing) fn unstage(&mut self) {
        let step = self.step;
        if let Some(response) = &mut self.response {
            for (_, name, value) in self.staged.extract_if(.., |(of, ..)| *of == step) {
                append(&mut response.headers, &name, &value).expect("checked when it was staged");
            }
        }
    }

    /// The response's fields, where there are any to read.
    fn response_fields(&self) -> Option<&HeaderMap> {
        self.response.as_ref().map(|response| &response.headers)
    }
}

pub(crate) fn method() -> String {
    flight(|flight| flight.method.to_string())
}

pub(crate) fn path() -> String {
    flight(|flight| flight.path.clone())
}

pub(crate) fn query() -> Option<String> {
    flight(|flight| flight.query.clone())
}

pub(crate) fn host() -> String {
    flight(|flight| flight.host.clone())
}

pub(crate) fn scheme() -> String {
    flight(|flight| flight.scheme.clone())
}

pub(crate) fn path_parameter(name: &str) -> Option<String> {
    flight(|flight| flight.parameters.get(name).cloned())
}

pub(crate) fn request_header(name: &str) -> Option<Vec<u8>> {
    flight(|flight| first(&flight.headers, name))
}

pub(crate) fn request_headers(names: &[&str]) -> Vec<Option<Vec<u8>>> {
    flight(|flight| {
        names
            .iter()
            .map(|name| first(&flight.headers, name))
            .collect()
    })
}

pub(crate) fn request_header_values(name: &str) -> Vec<Vec<u8>> {
    flight(|flight| values(&flight.headers, name))
}

pub(crate) fn all_request_headers() -> Vec<(String, Vec<u8>)> {
    flight(|flight| fields(&flight.headers))
}

pub(crate) fn set_request_header(name: &str, value: &[u8]) -> Result<(), Refusal> {
    flight(|flight| set(flight.request()?, name, value))
}

pub(crate) fn append_request_header(name: &str, value: &[u8]) -> Result<(), Refusal> {
    flight(|flight| append(flight.request()?, name, value))
}

pub(crate) fn remove_request_header(name: &str) -> bool {
    flight(|flight| flight.request().is_ok_and(|headers| remove(headers, name)))
}

pub(crate) fn set_path(path: &str) -> Result<(), Refusal> {
    flight(|flight| {
        flight.request()?;
        check_path(path)?;
        match path.split_once('?') {
            Some((path, query)) => {
                flight.path = path.to_owned();
                flight.query = Some(query.to_owned());
            }
            None => flight.path = path.to_owned(),
        }
        Ok(())
    })
}

pub(crate) fn response_status() -> Option<u16> {
    flight(|flight| {
        flight
            .response
            .as_ref()
            .map(|response| response.status.as_u16())
    })
}

pub(crate) fn set_response_status(code: u16) -> Result<(), Refusal> {
    flight(|flight| {
        flight.response()?.status = status(code)?;
        Ok(())
    })
}

pub(crate) fn response_header(name: &str) -> Option<Vec<u8>> {
    flight(|flight| first(flight.response_fields()?, name))
}

pub(crate) fn response_header_values(name: &str) -> Vec<Vec<u8>> {
    flight(|flight| {
        flight
            .response_fields()
            .map(|all| values(all, name))
            .unwrap_or_default()
    })
}

pub(crate) fn all_response_headers() -> Vec<(String, Vec<u8>)> {
    flight(|flight| flight.response_fields().map(fields).unwrap_or_default())
}

pub(crate) fn set_response_header(name: &str, value: &[u8]) -> Result<(), Refusal> {
    flight(|flight| set(&mut flight.response()?.headers, name, value))
}

pub(crate) fn append_response_header(name: &str, value: &[u8]) -> Result<(), Refusal> {
    flight(|flight| append(&mut flight.response()?.headers, name, value))
}

pub(crate) fn remove_response_header(name: &str) -> bool {
    flight(|flight| {
        flight
            .response()
            .is_ok_and(|response| remove(&mut response.headers, name))
    })
}

pub(crate) fn append_to_response(fields: &[(&str, &[u8])]) -> Result<(), Refusal> {
    flight(|flight| {
        if flight.phase != Phase::Request {
            return Err(Refusal::WrongPhase);
        }
        let mut all = HeaderMap::new();
        for (name, value) in fields {
            append(&mut all, name, value)?;
        }
        let own = fields
            .iter()
            .map(|&(name, value)| (flight.step, name.to_owned(), value.to_owned()));
        flight.staged.extend(own);
        Ok(())
    })
}

pub(crate) fn note() -> u64 {
    flight(|flight| flight.notes.get(&flight.step).copied().unwrap_or(0))
}

pub(crate) fn set_note(note: u64) {
    flight(|flight| flight.notes.insert(flight.step, note));
}

pub(crate) fn respond(code: u16, fields: &[(&str, &[u8])], body: &[u8]) -> Result<(), Refusal> {
    if body.len() > LARGEST_BODY {
        return Err(Refusal::TooLarge);
    }
    respond_with(code, fields, body)
}

/// With a body of any size.
pub(super) fn respond_with(
    code: u16,
    fields: &[(&str, &[u8])],
    body: &[u8],
) -> Result<(), Refusal> {
    flight(|flight| {
        if matches!(flight.phase, Phase::Pick(_) | Phase::Complete) {
            return Err(Refusal::WrongPhase);
        }
        status(code)?;
        let mut headers = HeaderMap::new();
        let mut answer = Answer::new(code).body(body);
        for &(name, value) in fields {
            append(&mut headers, name, value)?;
            answer = answer.header(name.to_owned(), value);
        }
        flight.answer = Some(answer);
        Ok(())
    })
}

pub(crate) fn route() -> String {
    flight(|flight| flight.route.clone())
}

pub(crate) fn service() -> Option<String> {
    flight(|flight| flight.service.clone())
}

pub(crate) fn set_service(name: &str) -> Result<(), Refusal> {
    let known = with(|state| state.services.is_empty() || state.services.contains_key(name));
    flight(|flight| match flight.phase {
        Phase::Request | Phase::RequestBuffered if known => {
            flight.service = Some(name.to_owned());
            Ok(())
        }
        Phase::Request | Phase::RequestBuffered => Err(Refusal::UnknownService),
        _ => Err(Refusal::WrongPhase),
    })
}

pub(crate) fn instance() -> Option<String> {
    flight(|flight| flight.instance.clone())
}

pub(crate) fn client_address() -> String {
    flight(|flight| flight.client.clone())
}

pub(crate) fn request_id() -> String {
    flight(|flight| flight.request_id.clone())
}

pub(crate) fn attribute(name: &str) -> Option<String> {
    flight(|flight| flight.attributes.get(name).cloned())
}

pub(crate) fn set_attribute(name: &str, value: &str) -> Result<(), Refusal> {
    set_attributes(&[(name, value)])
}

pub(crate) fn set_attributes(attributes: &[(&str, &str)]) -> Result<(), Refusal> {
    for (name, value) in attributes {
        check_attribute(name, value)?;
    }
    flight(|flight| {
        let mut all = flight.attributes.clone();
        all.extend(
            attributes
                .iter()
                .map(|&(n, v)| (n.to_owned(), v.to_owned())),
        );
        if all.len() > MOST_ATTRIBUTES {
            return Err(Refusal::TooLarge);
        }
        flight.attributes = all;
        Ok(())
    })
}

fn first(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    headers.get(name).map(|value| value.as_bytes().to_vec())
}

fn values(headers: &HeaderMap, name: &str) -> Vec<Vec<u8>> {
    headers
        .get_all(name)
        .iter()
        .map(|value| value.as_bytes().to_vec())
        .collect()
}

pub(super) fn fields(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.iter().map(field).collect()
}
