//! The filters of a pipeline that wait for others, or that take long: awaited
//! one by one, between which `Run` goes on as for any other.

use std::{mem, sync::Arc, time::Instant};

use crate::{
    config::Isolation,
    exchange::{Answer, Exchange, Outcome, Piece, Side},
    observe::Hook,
    plugin::{Admission, Instance, PluginError, Verdict},
    respond::Error,
};

use super::{Pipeline, Run, Slot, Slots, Step, aside::Whose, report, run::Laps, stage::of_whole};

impl Run {
    /// Awaits the filter at which `request` has stopped. If the future is
    /// dropped, completion hooks still see the exchange.
    ///
    /// # Errors
    ///
    /// As `request`.
    pub async fn request_waiting(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) -> Result<Option<Answer>, Error> {
        let position = self.passed;
        let Some(step) = pipeline.steps.get(position) else {
            return Ok(None);
        };
        let called = self
            .wait(position, step, slots, exchange, Hook::Request)
            .await;
        let answer = self.decided(position, step, exchange, called)?;
        if answer.is_none() {
            self.passed = position + 1;
        }
        Ok(answer)
    }

    /// Awaits the filter at which `response` has stopped. If the future is
    /// dropped, completion hooks still see the exchange.
    pub async fn response_waiting(
        &mut self,
        pipeline: &Pipeline,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
    ) {
        let position = self.returning;
        let step = position.and_then(|position| Some((position, pipeline.steps.get(position)?)));
        if let Some((position, step)) = step {
            let called = self
                .wait(position, step, slots, exchange, Hook::Response)
                .await;
            self.returned(position, step, exchange, called);
        }
    }

    /// Awaits a filter that sees a body whole.
    ///
    /// # Errors
    ///
    /// As `request`.
    pub(super) async fn buffered_waiting(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        side: Side,
        piece: &mut Piece,
    ) -> Result<Verdict, Error> {
        let slot = slots.slot(step.slot);
        let hook = of_whole(side);
        let admission = self.begin_waiting(position, step, slot, exchange, hook)?;
        let result = match (step.waits, step.isolation) {
            (false, _) => {
                let mut moved = mem::take(piece);
                let call = move |instance: &mut Instance, exchange: &mut Box<Exchange>| {
                    let verdict = instance.on_buffered(side, exchange, &mut moved)?;
                    Ok((verdict, moved))
                };
                let called = self.aside(position, step, slot, exchange, call).await;
                called.map(|(verdict, moved)| {
                    *piece = moved;
                    verdict
                })
            }
            (true, Isolation::Reuse) => match slot.lease() {
                Ok(mut lease) => {
                    let instance = lease.instance();
                    instance.on_buffered_waiting(side, exchange, piece).await
                }
                Err(error) => Err(error),
            },
            (true, Isolation::PerRequest) => match self.isolated(position, || slot.isolated()) {
                Ok(instance) => instance.on_buffered_waiting(side, exchange, piece).await,
                Err(error) => Err(error),
            },
        };
        self.called(position, step, slot, exchange, hook, admission, result)
    }

    fn begin_waiting(
        &mut self,
        position: usize,
        step: &Step,
        slot: &Slot,
        exchange: &mut Exchange,
        hook: Hook,
    ) -> Result<Admission, Error> {
        let admission = match slot.quarantine().is_healthy() {
            true => Admission::Free,
            false => self.admit(position, step, slot, hook)?,
        };
        self.laps = Laps::default();
        self.laps.start();
        exchange.step = position;
        Ok(admission)
    }

    /// Awaits one hook of one step, and notes its time, its waiting included,
    /// and its failure. A call that nobody waits for any more is not noted.
    async fn wait(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        hook: Hook,
    ) -> Result<Verdict, Error> {
        let slot = slots.slot(step.slot);
        let admission = self.begin_waiting(position, step, slot, exchange, hook)?;
        let result = match (step.waits, step.isolation) {
            (false, _) => {
                let call = move |instance: &mut Instance, exchange: &mut Box<Exchange>| match hook {
                    Hook::Request => instance.on_request(exchange),
                    _ => instance.on_response(exchange),
                };
                self.aside(position, step, slot, exchange, call).await
            }
            (true, Isolation::Reuse) => match slot.lease() {
                Ok(mut lease) => waited(lease.instance(), hook, exchange).await,
                Err(error) => Err(error),
            },
            (true, Isolation::PerRequest) => match self.isolated(position, || slot.isolated()) {
                Ok(instance) => waited(instance, hook, exchange).await,
                Err(error) => Err(error),
            },
        };
        self.called(position, step, slot, exchange, hook, admission, result)
    }

    /// Calls a plugin that takes long, and waits for it.
    async fn aside<T: Send + 'static>(
        &mut self,
        position: usize,
        step: &Step,
        slot: &Slot,
        exchange: &mut Box<Exchange>,
        call: impl FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError> + Send + 'static,
    ) -> Result<T, PluginError> {
        let whose = self.whose(position, step);
        let (own, result) = slot.call_aside(whose, exchange, call).await;
        self.isolated
            .extend(own.map(|instance| (position, instance)));
        result
    }

    /// Tells a plugin that takes long how the exchange ended. Nobody waits.
    #[cold]
    pub(super) fn complete_aside(
        &mut self,
        position: usize,
        step: &Step,
        slots: &Slots,
        exchange: &mut Box<Exchange>,
        outcome: &Outcome,
    ) {
        let slot = slots.slot(step.slot);
        let admission = match slot.quarantine().is_healthy() {
            true => Admission::Free,
            // That is no error, either.
            false => match self.admit(position, step, slot, Hook::Completion) {
                Ok(admission) => admission,
                Err(_) => return,
            },
        };
        exchange.step = position;
        let whose = self.whose(position, step);
        let outcome = *outcome;
        let call = move |instance: &mut Instance, exchange: &mut Box<Exchange>| {
            instance.on_completion(exchange, &outcome)
        };
        let (configured, metrics) = (Arc::clone(slot.configured()), step.metrics.clone());
        let copy = Box::new(exchange.copy());
        let begun = Instant::now();
        let note = move |exchange: &Exchange, result: Result<(), PluginError>| {
            metrics.called(Hook::Completion, begun.elapsed());
            match result {
                Ok(()) if admission == Admission::Free => {}
                Ok(()) => {
                    let quarantine = configured.quarantine();
                    quarantine.succeeded(Hook::Completion, admission, Instant::now());
                }
                Err(error) => {
                    metrics.failed(error.kind.as_str());
                    report::failed(&configured, Hook::Completion, admission, exchange, &error);
                }
            }
        };
        if let Err(error) = slot.leave_aside(whose, copy, call, note) {
            step.metrics.failed(error.kind.as_str());
            let configured = slot.configured();
            report::failed(configured, Hook::Completion, admission, exchange, &error);
        }
    }

    /// Whose instance a step is called with. One request's own goes along.
    fn whose(&mut self, position: usize, step: &Step) -> Whose {
        match step.isolation {
            Isolation::Reuse => Whose::slot(),
            Isolation::PerRequest => {
                let there = self.isolated.iter().position(|(of, _)| *of == position);
                Whose::request(there.map(|index| self.isolated.swap_remove(index).1))
            }
        }
    }
}

/// Awaits a hook that decides.
async fn waited(
    instance: &mut Instance,
    hook: Hook,
    exchange: &mut Box<Exchange>,
) -> Result<Verdict, PluginError> {
    match hook {
        Hook::Request => instance.on_request_waiting(exchange).await,
        _ => instance.on_response_waiting(exchange).await,
    }
}
