//! An end for streams of HTTP/2 whose client takes nothing.
//!
//! A client may hold up one stream by its window (RFC 9113 §5.2) while others
//! move. What is stalled is reset, and the connection goes on.

use std::{
    cell::Cell,
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{heads::OpenHead, pulse::Pulse};
use crate::{body::Patience, observe::Refused};

/// What was given to one stream, and whether its client has to take it now.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The response is under way, and its next part was not asked for since.
    waits: Cell<bool>,
    /// How often a part was asked for.
    asked: Cell<u32>,
    /// Counted for as long as the stream is there.
    _head: OpenHead,
}

impl Given {
    /// To a stream whose request has this head.
    pub(super) fn new(head: OpenHead) -> Self {
        Self {
            _head: head,
            ..Self::default()
        }
    }

    /// The response's head was given.
    pub(super) fn head(&self) {
        self.waits.set(true);
    }

    /// A part was asked for, and there was one or none yet.
    pub(super) fn asked(&self, given: bool) {
        self.waits.set(given);
        self.asked.update(|asked| asked.wrapping_add(1));
    }
}

/// Looks after one stream.
pub(super) struct Stall {
    given: Rc<Given>,
    pulse: Rc<Pulse>,
    seen: u32,
    patience: Patience,
}

impl Stall {
    pub(super) fn new(given: Rc<Given>, pulse: Rc<Pulse>) -> Self {
        Self {
            given,
            seen: 0,
            patience: Patience::new(pulse.limits().write_timeout),
            pulse,
        }
    }

    /// To be asked when the stream cannot go on. Ready when its client has taken
    /// nothing for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let asked = self.given.asked.get();
        if !self.given.waits.get() || std::mem::replace(&mut self.seen, asked) != asked {
            self.patience.moved();
        }
        if !self.given.waits.get() {
            return Poll::Pending;
        }
        ready!(self.patience.poll_over(cx));
        self.pulse.refused(Refused::WriteTimeout);
        Poll::Ready(())
    }
}
