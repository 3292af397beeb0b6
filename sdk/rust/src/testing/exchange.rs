//! One exchange of a test: runs hooks on it and shows what they left behind.

use std::cell::RefCell;

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{
    Answer, Outcome,
    gateway::announce_changes,
    host::{
        self,
        exchange::{Flight, Phase, Response},
    },
};
use crate::{Exchange, Plugin, Result, Said, Verdict};

/// What a request or response hook said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Go on.
    Next,
    /// The filter answers.
    Answer(Answer),
    /// The filter failed, with this line in the log; a gateway answers 503 or
    /// skips the filter, as `on_error` says.
    Failed(String),
}

impl Reply {
    /// The answer, if it is one.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            _ => None,
        }
    }
}

/// A request in flight that hooks are run on.
#[derive(Debug)]
pub struct TestExchange {
    pub(super) flight: RefCell<Flight>,
}

/// Runs hooks.
impl TestExchange {
    pub(super) fn new(flight: Flight) -> Self {
        Self {
            flight: RefCell::new(flight),
        }
    }

    /// Runs the request hook.
    pub fn run_request<P: Plugin>(&self, filter: &mut P) -> Reply {
        self.enter(filter);
        self.run(Phase::Request, |exchange| filter.request(exchange))
    }

    /// Takes the upstream's response, in place of any that was there.
    ///
    /// # Panics
    /// If the status or a field is not valid.
    pub fn respond_from_upstream<const N: usize>(&self, status: u16, fields: [(&str, &str); N]) {
        let response = response(status, fields.iter().map(|&(n, v)| (n, v.as_bytes())));
        self.flight.borrow_mut().response = Some(response);
    }

    /// Runs the response hook. There must be a response:
    /// [`respond_from_upstream`](Self::respond_from_upstream), or an answer
    /// that a filter gave before.
    ///
    /// # Panics
    /// If there is none.
    pub fn run_response<P: Plugin>(&self, filter: &mut P) -> Reply {
        assert!(
            self.flight.borrow().response.is_some(),
            "there is no response yet: call `respond_from_upstream` first"
        );
        self.enter(filter);
        self.flight.borrow_mut().unstage();
        self.run(Phase::Response, |exchange| filter.response(exchange))
    }

    /// Runs the completion hook.
    pub fn run_completion<P: Plugin>(&self, filter: &mut P, outcome: Outcome) {
        self.enter(filter);
        self.lend(Phase::Complete, |exchange| {
            filter.completion(exchange, &outcome)
        });
    }

    /// Has a balancer pick an instance, which then counts as tried. See
    /// [`Gateway::run_pick`](super::Gateway::run_pick).
    ///
    /// # Panics
    /// If the request has no service and there is not exactly one.
    pub fn run_pick<P: Plugin>(&self, balancer: &mut P, attempt: u32) -> Option<u32> {
        let service = self.service().or_else(host::only_service);
        let service = service.expect("the request names its service, or there is exactly one");
        let instances = host::discovery::instances(&service).unwrap_or_default();
        if instances.is_empty() {
            return None;
        }
        announce_changes(balancer, &service);
        let pick = self.lend(Phase::Pick(instances.len()), |exchange| {
            balancer.choice(exchange, attempt)
        });
        let index = pick?;
        let picked = instances.get(usize::try_from(index).ok()?)?;
        let mut flight = self.flight.borrow_mut();
        flight.instance = Some(picked.address.clone());
        flight.tried.insert(index);
        Some(index)
    }

    /// Calls a function with the exchange as the request hook has it: for
    /// parts of a filter that take one.
    pub fn with<T>(&self, part: impl FnOnce(&mut Exchange) -> T) -> T {
        self.lend(Phase::Request, part)
    }

    fn run(&self, phase: Phase, hook: impl FnOnce(&mut Exchange) -> Result<Verdict>) -> Reply {
        let said = self.lend(phase, |exchange| Said::of(hook(exchange)));
        self.reply(said)
    }

    /// What becomes of the exchange.
    pub(super) fn reply(&self, said: Said) -> Reply {
        let answer = self.flight.borrow_mut().answer.take();
        match (said, answer) {
            (Said::Next, _) => Reply::Next,
            (Said::Respond, Some(answer)) => {
                let head = response(answer.status(), answer.headers());
                self.flight.borrow_mut().response = Some(head);
                Reply::Answer(answer)
            }
            _ => Reply::Failed(host::with(|state| {
                state.lines.last().cloned().unwrap_or_default()
            })),
        }
    }

    /// Makes a filter the one whose hook runs.
    pub(super) fn enter<P: Plugin>(&self, filter: &P) {
        self.flight.borrow_mut().step = (&raw const *filter).addr();
    }

    pub(super) fn lend<T>(&self, phase: Phase, hook: impl FnOnce(&mut Exchange) -> T) -> T {
        let mut flight = self.flight.take();
        flight.phase = phase;
        host::lend(flight);
        let result = hook(&mut Exchange::current());
        self.flight.replace(host::take_back());
        result
    }
}

/// Shows what is there now.
impl TestExchange {
    /// The path, without the query.
    pub fn path(&self) -> String {
        self.flight.borrow().path.clone()
    }

    /// The query, without `?`.
    pub fn query(&self) -> Option<String> {
        self.flight.borrow().query.clone()
    }

    /// The service.
    pub fn service(&self) -> Option<String> {
        self.flight.borrow().service.clone()
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.flight.borrow().attributes.get(name).cloned()
    }

    /// The first value of a request header as text; bytes that are not UTF-8
    /// are replaced.
    pub fn request_header(&self, name: &str) -> Option<String> {
        self.flight.borrow().headers.get(name).map(text)
    }

    /// All values of a request header as text, in order.
    pub fn request_header_values(&self, name: &str) -> Vec<String> {
        self.flight
            .borrow()
            .headers
            .get_all(name)
            .iter()
            .map(text)
            .collect()
    }

    /// The status of the response, once there is one.
    pub fn response_status(&self) -> Option<u16> {
        let flight = self.flight.borrow();
        flight
            .response
            .as_ref()
            .map(|response| response.status.as_u16())
    }

    /// The first value of a response header as text; bytes that are not UTF-8
    /// are replaced.
    pub fn response_header(&self, name: &str) -> Option<String> {
        self.flight
            .borrow()
            .response
            .as_ref()?
            .headers
            .get(name)
            .map(text)
    }

    /// All values of a response header as text, in order.
    pub fn response_header_values(&self, name: &str) -> Vec<String> {
        let flight = self.flight.borrow();
        let response = flight.response.iter();
        response
            .flat_map(|response| response.headers.get_all(name))
            .map(text)
            .collect()
    }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn response<'a>(status: u16, fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::try_from(name).expect("the header's name is valid");
        headers.append(
            name,
            HeaderValue::from_bytes(value).expect("the header's value is valid"),
        );
    }
    let status = StatusCode::from_u16(status).expect("the status is valid");
    Response { status, headers }
}
