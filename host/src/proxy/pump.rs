//! Moves a request's body from the client through the filters that look at it.
//!
//! The connection to the upstream takes what comes out, in a task of its own; the
//! exchange that filters see is the request's, so they run in the task of the
//! request: while it waits for the response, and while it sends it.

use std::task::{Context, Poll, ready};

use crate::{
    body::{self, BodyError, Piped, RequestBody, Sender},
    pipeline::{Chain, Passage, Stop},
    respond::Error,
};

use super::flight::Held;

/// A body on its way.
pub(super) struct Pump {
    chain: Chain,
    source: RequestBody,
    /// None until the head leaves.
    pipe: Option<Sender>,
}

impl Pump {
    pub(super) fn new(chain: Chain, source: RequestBody) -> Self {
        Self {
            chain,
            source,
            pipe: None,
        }
    }

    /// The length of what goes upstream, if all of it is here.
    pub(super) fn length(&self) -> Option<u64> {
        self.chain.length()
    }

    /// The body that goes upstream.
    pub(super) fn open(&mut self) -> Piped {
        let (sender, piped) = body::pipe(self.chain.length());
        self.pipe = Some(sender);
        piped
    }

    /// Moves what can be moved. Ready when nothing is left to do.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        passage: &mut Passage<'_>,
    ) -> Poll<Result<(), Stop>> {
        let Self {
            chain,
            source,
            pipe: Some(pipe),
        } = self
        else {
            return Poll::Ready(Ok(()));
        };
        while !chain.is_over() {
            if !ready!(pipe.poll_room(cx)) {
                return Poll::Ready(Ok(()));
            }
            let mut source = || body::poll_piece(source, cx).map_err(BodyError::means);
            match ready!(chain.poll_next(passage, &mut source)) {
                Ok(piece) => pipe.send(piece),
                Err(stop) => {
                    pipe.fail(BodyError::Filter);
                    return Poll::Ready(Err(stop));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells filters that the body will not come to its end, if it has not.
    pub(super) fn abandon(&mut self, passage: &mut Passage<'_>) {
        self.chain.abandon(passage);
    }
}

impl Held for Pump {
    const LATE: Error = Error::ClientSlow;

    fn poll_hold(
        &mut self,
        cx: &mut Context<'_>,
        passage: &mut Passage<'_>,
    ) -> Poll<Result<(), Stop>> {
        let Self { chain, source, .. } = self;
        while chain.holds() {
            let mut source = || body::poll_piece(source, cx).map_err(BodyError::means);
            ready!(chain.poll_hold(passage, &mut source))?;
        }
        Poll::Ready(Ok(()))
    }

    fn chain(&mut self) -> &mut Chain {
        &mut self.chain
    }
}
