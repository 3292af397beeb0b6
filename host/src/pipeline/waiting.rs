//! The filters of a pipeline that wait for others: awaited one by one, between
//! which `Run` goes on as for any other.

use crate::{
    config::Isolation,
    exchange::{Answer, Exchange, Piece, Side},
    observe::Hook,
    plugin::{Admission, Instance, PluginError, Verdict},
    respond::Error,
};

use super::{Pipeline, Run, Slot, Slots, Step, run::Laps, stage::of_whole};

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
        let result = match step.isolation {
            Isolation::Reuse => match slot.lease() {
                Ok(mut lease) => {
                    let instance = lease.instance();
                    instance.on_buffered_waiting(side, exchange, piece).await
                }
                Err(error) => Err(error),
            },
            Isolation::PerRequest => match self.isolated(position, || slot.isolated()) {
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
        let result = match step.isolation {
            Isolation::Reuse => match slot.lease() {
                Ok(mut lease) => waited(lease.instance(), hook, exchange).await,
                Err(error) => Err(error),
            },
            Isolation::PerRequest => match self.isolated(position, || slot.isolated()) {
                Ok(instance) => waited(instance, hook, exchange).await,
                Err(error) => Err(error),
            },
        };
        self.called(position, step, slot, exchange, hook, admission, result)
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
