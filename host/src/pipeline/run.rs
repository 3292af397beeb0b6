//! One request's way through a pipeline.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    config::{Isolation, OnError},
    exchange::{Answer, Exchange, Outcome, ResponseHead},
    observe::Hook,
    plugin::{Instance, PluginError, Verdict},
    respond::{self, Error},
};

use super::{Pipeline, Slots, Step};

/// How far one request has come in its pipeline. Lives as long as the
/// exchange; every filter that was entered is told the outcome once.
#[derive(Default)]
pub struct Run {
    /// Filters whose request side was entered: they get the outcome.
    entered: usize,
    /// Filters that let the request pass: the response runs back through them.
    passed: usize,
    /// Instances of filters that are isolated per request, by step.
    isolated: Vec<(usize, Instance)>,
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
                    Err(_) => return Err(Error::Plugin),
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
                Err(_) => Some(respond::answer(&Error::Plugin, &exchange.request_id)),
            };
            if let Some(Answer {
                status,
                headers,
                body,
            }) = answer
            {
                exchange.response = Some(ResponseHead { status, headers });
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
    ) -> Result<T, PluginError> {
        self.laps.start();
        exchange.step = position;
        let slot = slots.slot(step.slot);
        let result = match step.isolation {
            Isolation::Reuse => slot.call(|instance| call(instance, exchange)),
            Isolation::PerRequest => self
                .isolated(position, || slot.isolated())
                .and_then(|instance| call(instance, exchange)),
        };
        step.metrics.called(hook, self.laps.lap());
        if let Err(error) = &result {
            failed(step, exchange, error);
        }
        result
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

#[cold]
fn failed(step: &Step, exchange: &Exchange, error: &PluginError) {
    step.metrics.failed(error.kind.as_str());
    tracing::warn!(
        plugin = %error.plugin,
        request_id = exchange.request_id.as_str(),
        kind = error.kind.as_str(),
        "{error}"
    );
}
