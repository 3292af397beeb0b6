//! One request's way through a pipeline.

use std::time::{Duration, Instant};

use crate::{
    config::{Isolation, OnError},
    exchange::{Answer, AnswerBody, Exchange, Outcome, ResponseHead},
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
    pub(super) entered: usize,
    /// Filters that let the request pass: the response runs back through them.
    pub(super) passed: usize,
    /// Filters that the response has still to come through; none before it
    /// comes.
    pub(super) returning: Option<usize>,
    /// The body of a filter that replaced the response.
    replaced: Option<AnswerBody>,
    /// Filters that the response's body has still to pass: all that let the
    /// request pass, or those before the one that replaced the response.
    body_until: usize,
    /// Instances of filters that are isolated per request, by step.
    pub(super) isolated: Vec<(usize, Instance)>,
    /// Filters in quarantine that this request may try out, by step.
    probes: Vec<(usize, Probe)>,
    /// Of the side that runs.
    pub(super) laps: Laps,
}

/// How far one side of a pipeline has come.
#[derive(Debug)]
pub enum Progress<T> {
    /// All the way.
    Through(T),
    /// The next filter waits for others: it has to be awaited, and then the side
    /// goes on.
    Waits,
}

impl Run {
    /// The request side, from where it was left. `Some`: a filter answers, and
    /// the filters before it are still to see that answer.
    ///
    /// # Errors
    ///
    /// The answer that the gateway gives instead.
    pub fn request(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) -> Result<Progress<Option<Answer>>, Error> {
        if pipeline.incomplete {
            return Err(Error::PluginMissing);
        }
        self.laps = Laps::default();
        let left = pipeline.steps.iter().enumerate().skip(self.passed);
        for (position, step) in left {
            self.entered = position + 1;
            if step.hooks.request {
                if step.waits || slots.slot(step.slot).is_slow() {
                    return Ok(Progress::Waits);
                }
                let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                    instance.on_request(exchange)
                };
                let called = self.call(position, step, slots, exchange, Hook::Request, hook);
                if let Some(answer) = self.decided(position, step, exchange, called)? {
                    return Ok(Progress::Through(Some(answer)));
                }
            }
            self.passed = position + 1;
        }
        Ok(Progress::Through(None))
    }

    /// What becomes of a request after a filter has seen it: none if it goes on.
    #[inline]
    pub(super) fn decided(
        &mut self,
        position: usize,
        step: &Step,
        exchange: &mut Exchange,
        called: Result<Verdict, Error>,
    ) -> Result<Option<Answer>, Error> {
        match called {
            Ok(Verdict::Next) => Ok(None),
            Ok(Verdict::Respond) => {
                step.metrics.answered();
                Ok(exchange.answer.take())
            }
            Err(_) if step.on_error == OnError::Skip => Ok(None),
            Err(error) => {
                // What was not called is told nothing in the end.
                if matches!(error, Error::Quarantined(_) | Error::PluginBusy) {
                    self.entered = position;
                }
                Err(error)
            }
        }
    }

    /// The response side, from where it was left: runs the response in
    /// `exchange` back through the filters. `Some`: a filter replaced it, and
    /// this is the new body.
    pub fn response(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) -> Progress<Option<AnswerBody>> {
        self.laps = Laps::default();
        let left = self.returning.unwrap_or(self.passed);
        if self.returning.is_none() {
            self.body_until = left;
        }
        for (position, step) in pipeline.steps[..left].iter().enumerate().rev() {
            exchange.unstage(position);
            if !step.hooks.response {
                continue;
            }
            if step.waits || slots.slot(step.slot).is_slow() {
                self.returning = Some(position);
                return Progress::Waits;
            }
            let hook = |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                instance.on_response(exchange)
            };
            let called = self.call(position, step, slots, exchange, Hook::Response, hook);
            self.returned(position, step, exchange, called);
        }
        Progress::Through(self.replaced.take())
    }

    /// What becomes of a response after a filter has seen it.
    #[inline]
    pub(super) fn returned(
        &mut self,
        position: usize,
        step: &Step,
        exchange: &mut Exchange,
        called: Result<Verdict, Error>,
    ) {
        let answer = match called {
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
            self.replaced = Some(body);
            self.body_until = position;
        }
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
            if !step.hooks.completion {
                continue;
            }
            if slots.slot(step.slot).is_slow() {
                self.complete_aside(position, step, slots, exchange, outcome);
            } else {
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
            Isolation::Reuse if !step.waits => slot.call(tell),
            _ => match self.isolated.iter_mut().find(|(of, _)| *of == position) {
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
            Isolation::Reuse if !step.waits || !hook.is_of_chunks() => {
                slot.call(|instance| call(instance, exchange))
            }
            // Also a stream of one that may wait: its instances come and go.
            _ => self
                .isolated(position, || slot.isolated())
                .and_then(|instance| call(instance, exchange)),
        };
        self.called(position, step, slot, exchange, hook, admission, result)
    }

    /// Notes a call that has come to its end.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the two ways to call share it")]
    pub(super) fn called<T>(
        &mut self,
        position: usize,
        step: &Step,
        slot: &Slot,
        exchange: &Exchange,
        hook: Hook,
        admission: Admission,
        result: Result<T, PluginError>,
    ) -> Result<T, Error> {
        if !self.isolated.is_empty() && step.hooks.end_with(hook) {
            // At once: the next is made in memory that is still near, and finds room.
            self.isolated.retain(|(of, _)| *of != position);
        }
        step.metrics.called(hook, self.laps.lap());
        match result {
            Ok(value) if admission == Admission::Free => Ok(value),
            Ok(value) => {
                self.succeeded(position, slot, hook, admission);
                Ok(value)
            }
            Err(error) => {
                step.metrics.failed(error.kind.as_str());
                report::failed(slot.configured(), hook, admission, exchange, &error);
                self.probes.retain(|(of, _)| *of != position);
                Err(report::answer(&error))
            }
        }
    }

    /// Asks the quarantine of a plugin that failed.
    #[cold]
    pub(super) fn admit(
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
    pub(super) fn isolated(
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
pub(super) struct Laps(Option<Instant>);

impl Laps {
    /// Starts the first.
    pub(super) fn start(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    /// Ends one and starts the next.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let started = self.0.replace(now);
        started.map_or(Duration::ZERO, |started| now - started)
    }
}
