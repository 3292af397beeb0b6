//! One exchange in flight and everything that has to be told its end.

use std::{rc::Rc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::{
    body::Meter,
    discovery::InFlight,
    exchange::{Answer, Exchange, Failure, Outcome},
    pipeline::Run,
    respond::Error,
    snapshot::Route,
    upstream::Budget,
    worker::Local,
};

/// One exchange with the snapshot it uses and its way through the pipeline.
/// However it ends — sent, broken, dropped — completion hooks run once.
pub(super) struct Flight {
    pub(super) exchange: Box<Exchange>,
    pub(super) local: Rc<Local>,
    pub(super) outcome: Outcome,
    pub(super) meter: Option<Rc<Meter>>,
    /// Held while an instance works on the request.
    pub(super) in_flight: Option<InFlight>,
    run: Run,
    started: Instant,
    completed: bool,
}

impl Flight {
    pub(super) fn new(local: Rc<Local>, exchange: Box<Exchange>, started: Instant) -> Self {
        let flight = Self {
            exchange,
            local,
            outcome: Outcome::default(),
            meter: None,
            in_flight: None,
            run: Run::default(),
            started,
            completed: false,
        };
        flight.route().metrics.started();
        flight
    }

    /// The route that the request takes.
    pub(super) fn route(&self) -> &Route {
        self.local.snapshot.route(self.exchange.route)
    }

    /// The route's retry budget on this worker.
    pub(super) fn budget(&self) -> &Budget {
        self.local.budget(self.exchange.route)
    }

    /// Counts a request that is forwarded, of which retries may be a share.
    pub(super) fn note_request(&self) {
        if self.route().retries.attempts.get() > 1 {
            self.budget().request(self.started);
        }
    }

    /// When the first byte of the request had come.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    pub(super) fn request_filters(&mut self) -> Result<Option<Answer>, Error> {
        let route = self.local.snapshot.route(self.exchange.route);
        self.run
            .request(&route.pipeline, &self.local.slots, &mut self.exchange)
    }

    pub(super) fn response_filters(&mut self) -> Option<Bytes> {
        let route = self.local.snapshot.route(self.exchange.route);
        self.run
            .response(&route.pipeline, &self.local.slots, &mut self.exchange)
    }

    /// The head to send. A copy stays only if a completion hook may read it.
    pub(super) fn take_response_head(&mut self) -> (StatusCode, HeaderMap) {
        let keep = self.route().keeps_response_head;
        let Some(head) = &mut self.exchange.response else {
            return (StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new());
        };
        self.outcome.status = head.status.as_u16();
        let headers = match keep {
            true => head.headers.clone(),
            false => std::mem::take(&mut head.headers),
        };
        (head.status, headers)
    }

    pub(super) fn request_id(&self) -> HeaderValue {
        self.exchange.request_id.0.clone()
    }

    /// True if the response has no body whatever its headers say
    /// (RFC 9110 §6.4.1).
    pub(super) fn is_bodiless(&self) -> bool {
        self.exchange.method == Method::HEAD || matches!(self.outcome.status, 204 | 304)
    }

    /// Ends the exchange: metrics and completion hooks, once.
    pub(super) fn complete(&mut self, failure: Option<Failure>) {
        if std::mem::replace(&mut self.completed, true) {
            return;
        }
        self.in_flight = None;
        let elapsed = self.started.elapsed();
        if let Some(failure) = failure {
            self.outcome.failure = failure;
        }
        self.outcome.duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.outcome.request_bytes = self.meter.as_ref().map_or(0, |meter| meter.bytes());
        let local = Rc::clone(&self.local);
        let route = local.snapshot.route(self.exchange.route);
        route.metrics.finished(self.outcome.status, elapsed);
        self.run.completion(
            &route.pipeline,
            &local.slots,
            &mut self.exchange,
            &self.outcome,
        );
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.complete(Some(Failure::Client));
    }
}
