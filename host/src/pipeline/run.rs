//! One request's way through a pipeline.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    config::{Isolation, OnError},
    exchange::{Answer, Exchange, Outcome, ResponseHead},
    observe::Hook,
    plugin::{Admission, Instance, PluginError, Probe, Verdict},
    respond::{self, Error},
};

use super::{Pipeline, Slot, Slots, Step, report};

/// How far one request has come in its pipeline. Lives as long as the
/// exchange; every filter that was entered is told the outcome once.
#[derive(Default)]
pub struct Run {
    /// Filters whose request side was entered: they get the outcome.
    entered: usize,
    /// Filters that let the request pass: the response runs back through them.
    passed: usize,
    /// Filters that the response's body has still to pass: all that let the
    /// request pass, or those before the one that replaced the response.
    body_until: usize,
    /// Instances of filters that are isolated per request, by step.
    isolated: Vec<(usize, Instance)>,
    /// Filters in quarantine that this request may try out, by step.
    probes: Vec<(usize, Probe)>,
    /// Of the side that runs.
    laps: Laps,
}

impl Run {
    /// The request side. `Some`: a filter answers, and the filters before it
    /// are still to see that answer.
    pub fn request(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) -> Result<Option<Answer>, Error> {
        if pipeline.incomplete {
            return Err(Error::PluginMissing);
        }
        self.laps = Laps::default();
        for (position, step) in pipeline.steps.iter().enumerate() {
            self.entered = position + 1;
            if step.hooks.request {
                let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                    instance.on_request(exchange)
                };
                match self.call(position, step, slots, exchange, Hook::Request, hook) {
                    Ok(Verdict::Next) => {}
                    Ok(Verdict::Respond) => {
                        step.metrics.answered();
                        return Ok(exchange.answer.take());
                    }
                    Err(_) if step.on_error == OnError::Skip => {}
                    Err(error) => {
                        // What was not called is told nothing in the end.
                        if matches!(error, Error::Quarantined(_)) {
                            self.entered = position;
                        }
                        return Err(error);
                    }
                }
            }
            self.passed = position + 1;
        }
        Ok(None)
    }

    /// The response side: runs the response in `exchange` back through the
    /// filters. `Some`: a filter replaced it, and this is the new body.
    pub fn response(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) -> Option<Bytes> {
        self.laps = Laps::default();
        self.body_until = self.passed;
        let mut replaced = None;
        for (position, step) in pipeline.steps[..self.passed].iter().enumerate().rev() {
            exchange.unstage(position);
            if !step.hooks.response {
                continue;
            }
            let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                instance.on_response(exchange)
            };
            let answer = match self.call(position, step, slots, exchange, Hook::Response, hook) {
                Ok(Verdict::Next) => None,
                Ok(Verdict::Respond) => {
                    step.metrics.answered();
                    exchange.answer.take()
                }
                Err(_) if step.on_error == OnError::Skip => None,
                Err(error) => Some(respond::answer(&error, &exchange.request_id)),
            };
            if let Some(Answer {
                status,
                headers,
                body,
            }) = answer
            {
                exchange.response = Some(ResponseHead { status, headers });
                self.body_until = position;
                replaced = Some(body);
            }
        }
        replaced
    }

    /// Tells every filter that was entered how the exchange ended.
    pub fn completion(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        outcome: &Outcome,
    ) {
        self.laps = Laps::default();
        for (position, step) in pipeline.steps[..self.entered].iter().enumerate().rev() {
            if step.hooks.completion {
                let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                    instance.on_completion(exchange, outcome)
                };
                // There is nobody left to answer: `call` has logged and counted it.
                let _ = self.call(position, step, slots, exchange, Hook::Completion, hook);
            }
        }
        if !self.probes.is_empty() {
            self.abandon_probes(pipeline, slots);
        }
    }

    /// Filters that the response's body has still to pass: those before this
    /// position.
    pub fn body_until(&self) -> usize {
        self.body_until
    }

    /// A filter has answered in a hook for a body: those before it are still to
    /// see that answer, and those after it are not.
    pub(super) fn stopped_at(&mut self, position: usize) {
        self.passed = self.passed.min(position);
        self.body_until = self.body_until.min(position);
    }

    /// Calls a hook some time after others.
    pub(super) fn call_apart<T>(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        hook: Hook,
        call: impl FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError>,
    ) -> Result<T, Error> {
        self.laps = Laps::default();
        self.call(position, step, slots, exchange, hook, call)
    }

    /// Tells a step's instance something that no answer is expected to.
    pub(super) fn tell(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        tell: impl FnOnce(&mut Instance) -> Result<(), PluginError>,
    ) {
        let slot = slots.slot(step.slot);
        let told = match step.isolation {
            Isolation::Reuse => slot.call(tell),
            Isolation::PerRequest => match self.isolated.iter_mut().find(|(of, _)| *of == position)
            {
                Some((_, instance)) => tell(instance),
                None => Ok(()),
            },
        };
        if let Err(error) = told {
            tracing::debug!(plugin = &*error.plugin, "{error}");
        }
    }

    /// Calls one hook of one step, and notes its time and its failure.
    fn call<T>(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        hook: Hook,
        call: impl FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError>,
    ) -> Result<T, Error> {
        let slot = slots.slot(step.slot);
        let admission = match slot.quarantine().is_healthy() {
            true => Admission::Free,
            false => self.admit(position, step, slot, hook)?,
        };
        self.laps.start();
        exchange.step = position;
        let result = match step.isolation {
            Isolation::Reuse => slot.call(|instance| call(instance, exchange)),
            Isolation::PerRequest => self
                .isolated(position, || slot.isolated())
                .and_then(|instance| call(instance, exchange)),
        };
        step.metrics.called(hook, self.laps.lap());
        match result {
            Ok(value) if admission == Admission::Free => Ok(value),
            Ok(value) => {
                self.succeeded(position, slot, hook, admission);
                Ok(value)
            }
            Err(error) => {
                step.metrics.failed(error.kind.as_str());
                report::failed(slot, hook, admission, exchange, &error);
                self.probes.retain(|(of, _)| *of != position);
                Err(Error::Plugin)
            }
        }
    }

    /// Asks the quarantine of a plugin that failed.
    #[cold]
    fn admit(
        &mut self,
        position: usize,
        step: &Step,
        slot: &Slot,
        hook: Hook,
    ) -> Result<Admission, Error> {
        let held = self.probes.iter().find(|(of, _)| *of == position);
        let held = held.map(|(_, probe)| *probe);
        let admission = slot.quarantine().admit(held, Instant::now());
        match admission {
            Ok(Admission::Probe(probe)) if held.is_none() => self.probes.push((position, probe)),
            Ok(_) => {}
            // That costs no request anything.
            Err(_) if hook == Hook::Completion => {}
            Err(_) => step.metrics.failed(report::QUARANTINED),
        }
        admission.map_err(report::refused)
    }

    #[cold]
    fn succeeded(&mut self, position: usize, slot: &Slot, hook: Hook, admission: Admission) {
        let healed = slot.quarantine().succeeded(hook, admission, Instant::now());
        if healed {
            self.probes.retain(|(of, _)| *of != position);
        }
    }

    /// Lets others try out what this request did not come to.
    #[cold]
    fn abandon_probes(&mut self, pipeline: &Pipeline, slots: &Slots) {
        for (position, probe) in self.probes.drain(..) {
            let slot = slots.slot(pipeline.steps[position].slot);
            slot.quarantine().abandon(probe);
        }
    }

    /// The instance that this request has of a step, made at its first hook.
    fn isolated(
        &mut self,
        position: usize,
        make: impl FnOnce() -> Result<Instance, PluginError>,
    ) -> Result<&mut Instance, PluginError> {
        let index = match self.isolated.iter().position(|(of, _)| *of == position) {
            Some(index) => index,
            None => {
                self.isolated.push((position, make()?));
                self.isolated.len() - 1
            }
        };
        Ok(&mut self.isolated[index].1)
    }
}

/// Times calls that follow one another: the end of one is the start of the
/// next, so that the clock is read once per call.
#[derive(Default)]
struct Laps(Option<Instant>);

impl Laps {
    /// Starts the first.
    fn start(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    /// Ends one and starts the next.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let started = self.0.replace(now);
        started.map_or(Duration::ZERO, |started| now - started)
    }
}
