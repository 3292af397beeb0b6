//! One exchange's way through a pipeline, hook by hook: what `pipeline::Run` and
//! the proxy do, in steps that can be watched one by one.

use std::time::Duration;

use http::HeaderMap;

use crate::{
    config::{Isolation, OnError},
    discovery::InFlight,
    exchange::{Answer, Exchange, Failure, Outcome, Phase, ResponseHead},
    observe::Hook,
    pipeline::Slot,
    plugin::{Instance, PluginError, Verdict},
    respond::{self, Error},
};

use super::{
    canned::{Canned, RESPONSE_BYTES},
    ledger::Ledger,
    scene::Scene,
    track::{Call, Leg},
    watch::Watch,
};

/// What balancers are told that the upstream took.
pub(super) const UPSTREAM: Duration = Duration::from_millis(1);

/// One exchange on its way.
pub(super) struct Passage<'a> {
    scene: &'a Scene,
    exchange: Box<Exchange>,
    /// The upstream's answer, until it has come.
    reply: Option<ResponseHead>,
    outcome: Outcome,
    /// Instances of steps that are isolated per request.
    isolated: Vec<Option<Instance>>,
    in_flight: Option<InFlight>,
    /// The step that did not let the request pass.
    stopped: Option<usize>,
}

impl<'a> Passage<'a> {
    pub(super) fn new(scene: &'a Scene, canned: &Canned) -> Self {
        let steps = scene.route().pipeline.steps.len();
        scene.next_request();
        Self {
            scene,
            exchange: canned.exchange(scene),
            reply: Some(canned.response()),
            outcome: Outcome::default(),
            isolated: (0..steps).map(|_| None).collect(),
            in_flight: None,
            stopped: None,
        }
    }

    /// Goes one leg, unless the exchange does not come there.
    pub(super) fn go(&mut self, leg: Leg, watch: &mut impl Watch, ledger: &mut Ledger) {
        match leg.call {
            Call::Request(step) if self.stopped.is_none() => {
                self.request(step, leg.row, watch, ledger);
            }
            Call::Pick if self.stopped.is_none() => self.forward(leg.row, watch, ledger),
            Call::Response(step) if self.stopped.is_none_or(|at| step < at) => {
                self.response(step, leg.row, watch, ledger);
            }
            Call::Completion(step) if self.stopped.is_none_or(|at| step <= at) => {
                self.complete();
                let outcome = self.outcome;
                let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                    instance.on_completion(exchange, &outcome)
                };
                // There is nobody left to answer; the ledger has it.
                let _ = self.call(step, Hook::Completion, leg.row, watch, ledger, hook);
            }
            _ => {}
        }
    }

    fn request(&mut self, step: usize, row: usize, watch: &mut impl Watch, ledger: &mut Ledger) {
        match self.decide(step, Hook::Request, row, watch, ledger) {
            Ok(Verdict::Next) => {}
            Ok(Verdict::Respond) => self.answered(step, row, ledger),
            Err(_) if self.on_error(step) == OnError::Skip => {}
            Err(_) => self.stop(step, &Error::Plugin),
        }
    }

    fn answered(&mut self, step: usize, row: usize, ledger: &mut Ledger) {
        self.stopped = Some(step);
        self.outcome.failure = Failure::Filter;
        if let Some(answer) = self.exchange.answer.take() {
            ledger.answered(row, answer.status);
            self.arrive(answer);
        }
        self.scene.after_an_answer();
    }

    fn stop(&mut self, step: usize, error: &Error) {
        self.stopped = Some(step);
        self.failed(error);
    }

    /// The gateway answers by itself.
    fn failed(&mut self, error: &Error) {
        self.outcome.failure = error.failure();
        let answer = respond::answer(error, &self.exchange.request_id);
        self.arrive(answer);
    }

    /// There is a response, whoever gave it.
    fn arrive(&mut self, answer: Answer) {
        let Answer {
            status, headers, ..
        } = answer;
        self.exchange.response = Some(ResponseHead { status, headers });
        self.exchange.phase = Phase::Response;
    }

    /// Lets the balancer pick, and takes the upstream's answer.
    fn forward(&mut self, row: usize, watch: &mut impl Watch, ledger: &mut Ledger) {
        self.exchange.phase = Phase::Upstream;
        let Some(service) = self.exchange.service else {
            ledger.failed(row, &Error::NoService);
            return self.failed(&Error::NoService);
        };
        let balancer = self.scene.balancer(service);
        ledger.called(row);
        let mark = watch.begin(|| balancer.work());
        let picked = balancer.pick(&mut self.exchange, 0);
        watch.end(row, mark, || balancer.work());
        match picked {
            Ok(instance) => {
                let exchange = &mut *self.exchange;
                exchange.instance = Some(instance.address);
                exchange.tried.push(instance.number);
                if !self.scene.route().keeps_request_head {
                    exchange.headers = HeaderMap::new();
                }
                self.outcome.attempts = 1;
                self.outcome.forwarded = true;
                instance.record_latency(UPSTREAM);
                self.in_flight = Some(instance.begin());
                exchange.response = self.reply.take();
                exchange.phase = Phase::Response;
            }
            Err(error) => {
                ledger.failed(row, &error);
                self.failed(&error);
            }
        }
    }

    fn response(&mut self, step: usize, row: usize, watch: &mut impl Watch, ledger: &mut Ledger) {
        match self.decide(step, Hook::Response, row, watch, ledger) {
            Ok(Verdict::Next) => {}
            Ok(Verdict::Respond) => {
                if let Some(answer) = self.exchange.answer.take() {
                    ledger.answered(row, answer.status);
                    self.arrive(answer);
                }
            }
            Err(_) if self.on_error(step) == OnError::Skip => {}
            Err(_) => self.failed(&Error::Plugin),
        }
    }

    /// All is sent.
    fn complete(&mut self) {
        if self.exchange.phase == Phase::Complete {
            return;
        }
        self.in_flight = None;
        self.exchange.phase = Phase::Complete;
        self.outcome.duration_us = u64::try_from(UPSTREAM.as_micros()).unwrap_or(u64::MAX);
        self.outcome.response_bytes = RESPONSE_BYTES;
        if let Some(head) = &mut self.exchange.response {
            self.outcome.status = head.status.as_u16();
            if !self.scene.route().keeps_response_head {
                head.headers = HeaderMap::new();
            }
        }
    }

    fn on_error(&self, step: usize) -> OnError {
        self.scene.route().pipeline.steps[step].on_error
    }

    /// Calls one of the two hooks that decide, and waits for what it waits for.
    fn decide(
        &mut self,
        step: usize,
        hook: Hook,
        row: usize,
        watch: &mut impl Watch,
        ledger: &mut Ledger,
    ) -> Result<Verdict, PluginError> {
        let scene = self.scene;
        self.call(step, hook, row, watch, ledger, |instance, exchange| match (
            hook,
            instance.waits(),
        ) {
            (Hook::Request, false) => instance.on_request(exchange),
            (Hook::Request, true) => scene.wait(instance.on_request_waiting(exchange)),
            (_, false) => instance.on_response(exchange),
            (_, true) => scene.wait(instance.on_response_waiting(exchange)),
        })
    }

    /// Calls a hook of a step, watched.
    fn call<T>(
        &mut self,
        step: usize,
        hook: Hook,
        row: usize,
        watch: &mut impl Watch,
        ledger: &mut Ledger,
        call: impl FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let exchange = &mut self.exchange;
        let what = &self.scene.route().pipeline.steps[step];
        let slot = self.scene.slots.slot(what.slot);
        ledger.called(row);
        let result = match what.isolation {
            Isolation::Reuse => {
                let mark = watch.begin(|| slot.work());
                let result = slot.call(|instance| call(instance, exchange));
                watch.end(row, mark, || slot.work());
                result
            }
            Isolation::PerRequest => {
                let place = &mut self.isolated[step];
                let mark = watch.begin(|| place.as_ref().map(Instance::work));
                let result = ready(place, slot).and_then(|instance| call(instance, exchange));
                watch.end(row, mark, || place.as_ref().map(Instance::work));
                if what.hooks.end_with(hook) {
                    *place = None;
                }
                result
            }
        };
        if let Err(error) = &result {
            ledger.failed(row, error);
        }
        result
    }
}

/// The instance that this exchange has of a step, made at its first hook.
fn ready<'p>(
    place: &'p mut Option<Instance>,
    slot: &Slot,
) -> Result<&'p mut Instance, PluginError> {
    match place {
        Some(instance) => Ok(instance),
        empty => Ok(empty.insert(slot.isolated()?)),
    }
}
