//! One exchange in flight and everything that has to be told its end.

use std::{
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::timeout_at;

use crate::{
    body::Meter,
    discovery::InFlight,
    exchange::{Answer, AnswerBody, Exchange, Failure, Outcome, Side},
    pipeline::{Chain, Passage, Progress, Run, Stop},
    respond::Error,
    snapshot::Route,
    upstream::Budget,
    worker::{Local, Place},
};

use super::{body::Sending, pump::Pump, reframe, refusal, upgrade::Upgrade};

/// A body whose head waits for it.
pub(super) trait Held {
    /// What it means that the route's time is over.
    const LATE: Error;

    /// Lets parts come out until the head may leave.
    fn poll_hold(
        &mut self,
        cx: &mut Context<'_>,
        passage: &mut Passage<'_>,
    ) -> Poll<Result<(), Stop>>;

    /// Its filters.
    fn chain(&mut self) -> &mut Chain;
}

/// One exchange with the snapshot it uses and its way through the pipeline.
/// However it ends — sent, broken, dropped — completion hooks run once.
pub(super) struct Flight {
    pub(super) exchange: Box<Exchange>,
    pub(super) local: Rc<Local>,
    pub(super) outcome: Outcome,
    pub(super) meter: Option<Rc<Meter>>,
    /// Held while an instance works on the request.
    pub(super) in_flight: Option<InFlight>,
    /// The request's body, while filters look at it.
    pub(super) pump: Option<Box<Pump>>,
    /// Filters that look at the response's body.
    pub(super) chain: Option<Box<Chain>>,
    /// The request is a call of gRPC.
    pub(super) grpc: bool,
    /// What the request may change to.
    pub(super) upgrade: Option<Box<Upgrade>>,
    /// The response on its way to the client.
    pub(super) sending: Sending,
    run: Run,
    started: Instant,
    /// How long the request may take up to the response's head.
    time: Duration,
    completed: bool,
    /// How long it took until the request became a tunnel.
    tunnelled: Option<Duration>,
    _place: Place,
}

impl Flight {
    /// In a box of its own from the beginning: it is handed on from stage to stage,
    /// and at last to the library with the response.
    pub(super) fn new(
        local: Rc<Local>,
        exchange: Box<Exchange>,
        started: Instant,
        place: Place,
    ) -> Box<Self> {
        let time = local.snapshot.route(exchange.route).timeout;
        let flight = Box::new(Self {
            exchange,
            local,
            outcome: Outcome::default(),
            meter: None,
            in_flight: None,
            pump: None,
            chain: None,
            grpc: false,
            upgrade: None,
            run: Run::default(),
            started,
            time,
            completed: false,
            tunnelled: None,
            sending: Sending::default(),
            _place: place,
        });
        flight.route().metrics.started();
        flight
    }

    /// Says that the request is a call of gRPC, and how long its client wants to
    /// wait.
    pub(super) fn is_grpc(&mut self, timeout: Option<Duration>) {
        self.grpc = true;
        self.time = timeout.map_or(self.time, |timeout| timeout.min(self.time));
    }

    /// Says that the request has become a tunnel: that is its answer, as far as
    /// the time that answers take is measured.
    pub(super) fn tunnelled(&mut self) {
        self.tunnelled = Some(self.started.elapsed());
        self.route().metrics.tunnel_opened();
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

    /// When the request's head came.
    pub(super) fn started(&self) -> tokio::time::Instant {
        self.started.into()
    }

    /// When the route's time, or the client's, is over.
    pub(super) fn deadline(&self) -> tokio::time::Instant {
        self.started() + self.time
    }

    /// Runs the request through the filters. What comes to no filter that waits
    /// for others is through at once. Cancel safe, as all of the exchange is.
    pub(super) async fn request_filters(&mut self) -> Result<Option<Answer>, Error> {
        match self.pass_request()? {
            Progress::Through(answer) => Ok(answer),
            Progress::Waits => {
                let deadline = self.started + self.time;
                // In a box, so that others pay nothing for its size.
                let waiting = Box::pin(self.request_filters_waiting());
                let waited = timeout_at(deadline.into(), waiting).await;
                waited.unwrap_or(Err(Error::PluginTimeout))
            }
        }
    }

    /// Runs the response back through the filters, likewise.
    pub(super) async fn response_filters(&mut self) -> Option<AnswerBody> {
        match self.pass_response() {
            Progress::Through(body) => body,
            Progress::Waits => Box::pin(self.response_filters_waiting()).await,
        }
    }

    async fn request_filters_waiting(&mut self) -> Result<Option<Answer>, Error> {
        loop {
            let route = self.local.snapshot.route(self.exchange.route);
            let (slots, exchange) = (&self.local.slots, &mut self.exchange);
            let waited = self.run.request_waiting(&route.pipeline, slots, exchange);
            if let Some(answer) = waited.await? {
                return Ok(Some(answer));
            }
            if let Progress::Through(answer) = self.pass_request()? {
                return Ok(answer);
            }
        }
    }

    async fn response_filters_waiting(&mut self) -> Option<AnswerBody> {
        loop {
            let route = self.local.snapshot.route(self.exchange.route);
            let (slots, exchange) = (&self.local.slots, &mut self.exchange);
            let waited = self.run.response_waiting(&route.pipeline, slots, exchange);
            waited.await;
            if let Progress::Through(body) = self.pass_response() {
                return body;
            }
        }
    }

    fn pass_request(&mut self) -> Result<Progress<Option<Answer>>, Error> {
        let route = self.local.snapshot.route(self.exchange.route);
        self.run
            .request(&route.pipeline, &self.local.slots, &mut self.exchange)
    }

    fn pass_response(&mut self) -> Progress<Option<AnswerBody>> {
        let route = self.local.snapshot.route(self.exchange.route);
        self.run
            .response(&route.pipeline, &self.local.slots, &mut self.exchange)
    }

    /// The filters that look at a body of a side, if there are any.
    pub(super) fn chain_of(&self, side: Side) -> Option<Box<Chain>> {
        let until = match side {
            Side::Request => usize::MAX,
            Side::Response => self.run.body_until(),
        };
        Chain::new(&self.route().pipeline, &self.exchange, side, until).map(Box::new)
    }

    /// Lends a body's filters what they work with.
    pub(super) fn passing<R>(&mut self, pass: impl FnOnce(&mut Passage<'_>) -> R) -> R {
        let local = Rc::clone(&self.local);
        let route = local.snapshot.route(self.exchange.route);
        pass(&mut Passage {
            run: &mut self.run,
            pipeline: &route.pipeline,
            slots: &local.slots,
            exchange: &mut self.exchange,
        })
    }

    /// Lets parts of a body come out of its filters, with those of them that may
    /// wait for others, until the head may leave. If the future is dropped, the
    /// body is lost.
    pub(super) async fn hold<H: Held>(&mut self, held: &mut H) -> Result<(), Stop> {
        let deadline = self.deadline();
        let holding = async {
            loop {
                let stop = poll_fn(|cx| self.passing(|passage| held.poll_hold(cx, passage))).await;
                let Err(Stop::Waits) = stop else {
                    return stop;
                };
                let local = Rc::clone(&self.local);
                let route = local.snapshot.route(self.exchange.route);
                let mut passage = Passage {
                    run: &mut self.run,
                    pipeline: &route.pipeline,
                    slots: &local.slots,
                    exchange: &mut self.exchange,
                };
                held.chain().show(&mut passage).await?;
            }
        };
        let held = timeout_at(deadline, holding).await;
        held.unwrap_or(Err(H::LATE.into()))
    }

    /// Moves what can be moved of a request's body that filters look at. Ready
    /// when nothing is left to do.
    pub(super) fn poll_pump(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let Some(mut pump) = self.pump.take() else {
            return Poll::Ready(Ok(()));
        };
        let polled = self.passing(|passage| {
            let polled = pump.poll(cx, passage);
            if polled.is_ready() {
                pump.abandon(passage);
            }
            polled
        });
        if polled.is_pending() {
            self.pump = Some(pump);
        }
        polled
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
        let status = StatusCode::from_u16(self.outcome.status).unwrap_or_default();
        reframe::is_bodiless(&self.exchange.method, status)
    }

    /// Tells filters of bodies which have not come to their end.
    fn abandon_bodies(&mut self) {
        let (pump, chain) = (self.pump.take(), self.chain.take());
        self.passing(|passage| {
            if let Some(mut pump) = pump {
                pump.abandon(passage);
            }
            if let Some(mut chain) = chain {
                chain.abandon(passage);
            }
        });
    }

    /// What it means that the response broke off: if the request's body did, that is
    /// why.
    pub(super) fn broken_off(&self) -> Failure {
        let Some(error) = self.meter.as_ref().and_then(|meter| meter.error()) else {
            return Failure::Upstream;
        };
        if let Some(reason) = refusal::reason(&error) {
            self.local.metrics.refused(reason);
        }
        error.failure()
    }

    /// Ends the exchange: metrics and completion hooks, once.
    pub(super) fn complete(&mut self, failure: Option<Failure>) {
        if std::mem::replace(&mut self.completed, true) {
            return;
        }
        self.in_flight = None;
        if self.pump.is_some() || self.chain.is_some() {
            self.abandon_bodies();
        }
        let elapsed = self.started.elapsed();
        if let Some(failure) = failure {
            self.outcome.failure = failure;
        }
        self.outcome.duration_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if let Some(meter) = &self.meter {
            meter.answered(false);
        }
        self.outcome.request_bytes += self.meter.as_ref().map_or(0, |meter| meter.bytes());
        let local = Rc::clone(&self.local);
        let route = local.snapshot.route(self.exchange.route);
        let measured = self.tunnelled.unwrap_or(elapsed);
        route.metrics.finished(self.outcome.status, measured);
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
