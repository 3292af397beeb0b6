//! A client's connection as the HTTP library is let see it: without a head that
//! could be read in two ways.
//!
//! In its place the library gets a request of the gateway's own, whose answer
//! says what was wrong ([`Heads`]), and after which the connection ends.
//!
//! Behind a head that asks to change to another protocol nothing is handed on, nor
//! judged, before it is answered: only then is it known what the bytes are.
//!
//! It can wait for a head by itself ([`Strict::poll_begun`]), so that the library,
//! which has large buffers from its beginning, is not there before one has come.

mod heads;

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) use heads::Heads;

use super::{
    framing::{Framing, Most, PREFACE, TOO_LARGE, Then},
    pulse::{Awaited, Pulse},
    rewound::Rewound,
};
use crate::{observe::Refused, respond::Error};

/// What stands in for a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n\r\n";

/// Bytes that are read at once while a head has not come whole.
const READ: usize = 4 << 10;

/// Bytes that are read and forgotten after a head was refused, so that the client
/// gets to see the answer instead of a reset connection.
const FORGOTTEN: usize = 256 << 10;

/// A connection that is read along.
pub(super) struct Strict<S> {
    stream: S,
    pulse: Rc<Pulse>,
    framing: Framing,
    heads: Heads,
    /// Heads that were handed on.
    seen: u64,
    /// The beginning of a head that has not come whole, or what is to be handed on.
    held: Vec<u8>,
    /// How much of `held` is to be handed on.
    good: usize,
    /// Why the head that comes then was refused.
    refused: Option<Error>,
    most: Most,
    /// The stand-in was handed on.
    over: bool,
    /// Bytes that were read since, and forgotten.
    forgotten: usize,
    /// The client has not taken all that was to be written.
    stuck: bool,
}

impl<S> Strict<S> {
    /// Reads along a connection.
    pub(super) fn new(stream: S, pulse: &Rc<Pulse>) -> (Self, Heads) {
        let heads = Heads::default();
        let strict = Self {
            stream,
            pulse: Rc::clone(pulse),
            framing: Framing::default(),
            heads: heads.clone(),
            seen: 0,
            held: Vec::new(),
            good: 0,
            refused: None,
            most: Most {
                bytes: pulse.limits().request_head,
                fields: pulse.limits().request_headers,
            },
            over: false,
            forgotten: 0,
            stuck: false,
        };
        (strict, heads)
    }

    /// The connection itself, which begins with what was not handed on.
    pub(super) fn into_rewound(self) -> Rewound<S> {
        Rewound::new(self.held.into(), self.stream)
    }

    /// True if what is to be handed on next is that of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.framing == Framing::Other && self.held.starts_with(PREFACE)
    }

    /// True if there is nothing to hand on.
    pub(super) fn is_empty(&self) -> bool {
        self.good == 0 && self.refused.is_none()
    }

    /// Takes back what was handed on, and used by nobody.
    pub(super) fn take_back(&mut self, unused: &Bytes) {
        self.held.splice(..0, unused.iter().copied());
        self.good += unused.len();
    }

    /// The connection itself, and what was read behind the head that has changed
    /// the protocol. None if the answer to it may not have left: then the bytes of
    /// the other protocol would stand in its place.
    pub(super) fn into_other(self) -> Option<(S, Vec<u8>)> {
        let waits = self.framing == Framing::Waits && self.good == 0;
        (waits && !self.stuck).then_some((self.stream, self.held))
    }

    /// Judges bytes: how many of them may be handed on. The rest stays, unless
    /// it is refused.
    fn judge(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fed = self.framing.feed(bytes, self.most);
        self.seen += fed.heads;
        if self.framing == Framing::Waits && fed.heads > 0 {
            self.heads.0.waits.set(self.seen);
        }
        match fed.then {
            Then::More => Ok(fed.good),
            Then::BadHead(why) => {
                self.refused = Some(match why {
                    TOO_LARGE => Error::HeadTooLarge,
                    why => Error::BadRequest(why),
                });
                Ok(fed.good)
            }
            Then::BadBody(why) => {
                self.pulse.refused(Refused::Framing);
                Err(io::Error::new(io::ErrorKind::InvalidData, why))
            }
        }
    }

    /// Judges what is held.
    fn judge_held(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let judged = self.judge(&held);
        self.held = held;
        self.good = judged?;
        self.bound();
        Ok(())
    }

    /// Holds no more than a head may have.
    fn bound(&mut self) {
        let too_long =
            self.framing != Framing::Waits && self.held.len() - self.good > self.most.bytes;
        if self.refused.is_none() && too_long {
            self.refused = Some(Error::HeadTooLarge);
        }
        if self.refused.is_some() {
            self.held.truncate(self.good);
        }
    }

    /// What the client is waited for.
    fn awaited(&self) -> Awaited {
        match self.framing {
            _ if self.over => Awaited::Nothing,
            Framing::Head if self.held.is_empty() => Awaited::Request,
            Framing::Head => Awaited::Head,
            Framing::Other | Framing::Waits => Awaited::Nothing,
            _ => Awaited::Body,
        }
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.good.min(buffer.remaining());
        buffer.put_slice(&self.held[..length]);
        self.held.drain(..length);
        self.good -= length;
        if self.held.is_empty() {
            // It would be kept for as long as the connection lasts.
            self.held = Vec::new();
        }
    }

    /// Puts the stand-in where the head would be. By itself, so that the library
    /// has asked for the requests before it.
    fn stand_in(&mut self, why: Error) {
        self.held = STAND_IN.to_vec();
        self.good = STAND_IN.len();
        self.heads.0.fault.replace(Some(why));
        self.over = true;
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Reads straight into the reader's buffer, where a head that is not whole
    /// is taken out again. Ready with nothing in it: more is to be read.
    fn poll_straight(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let new = &buffer.filled()[before..];
        if new.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let good = self.judge(new)?;
        if good < new.len() {
            self.held
                .extend_from_slice(&buffer.filled()[before + good..]);
            buffer.set_filled(before + good);
            self.bound();
        }
        Poll::Ready(Ok(good > 0))
    }

    /// Reads what belongs to what is held.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut bytes = [0; READ];
        let mut more = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
        if more.filled().is_empty() {
            // The library is shown the beginning of what will not come whole.
            self.good = self.held.len();
            return Poll::Ready(Ok(true));
        }
        self.held.extend_from_slice(more.filled());
        self.judge_held()?;
        Poll::Ready(Ok(false))
    }

    /// Reads what comes behind a head that is not answered yet, as much as may be
    /// held. Ready at the client's end, if there is nothing else.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ];
        while self.held.len() < self.most.bytes {
            let mut more = ReadBuf::new(&mut bytes);
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut more) else {
                break;
            };
            read?;
            match (more.filled(), self.held.is_empty()) {
                ([], true) => return Poll::Ready(Ok(())),
                ([], false) => break,
                (more, _) => self.held.extend_from_slice(more),
            }
        }
        *self.heads.0.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Reads and forgets what comes behind a head that was refused. Ready at the
    /// connection's end, which to the library is that of the client's patience: it
    /// would not answer any more.
    fn poll_forget(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ];
        while self.forgotten < FORGOTTEN {
            let mut more = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                break;
            }
            self.forgotten += more.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Waits until there is something to hand on, or the client is gone
    /// ([`Strict::is_empty`]). To be asked between messages only.
    pub(super) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.is_empty() {
            let more = self.poll_more(cx);
            if more.is_pending() {
                self.pulse.awaits(self.awaited());
            }
            if ready!(more)? {
                break;
            }
        }
        self.pulse.awaits(Awaited::Nothing);
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.good > 0 {
                self.hand_on(buffer);
                return Poll::Ready(Ok(()));
            }
            if let Some(why) = self.refused.take() {
                self.stand_in(why);
                continue;
            }
            if self.over {
                return self.poll_forget(cx);
            }
            if self.framing == Framing::Waits {
                if self.heads.0.waits.get() != 0 {
                    return self.poll_waiting(cx);
                }
                self.framing = Framing::Head;
                self.judge_held()?;
                continue;
            }
            let done = match self.held.is_empty() {
                true => ready!(self.poll_straight(cx, buffer))?,
                false => ready!(self.poll_more(cx))? && self.held.is_empty(),
            };
            if done {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.poll_next(cx, buffer);
        self.pulse.awaits(match &read {
            Poll::Ready(_) => Awaited::Nothing,
            Poll::Pending => self.awaited(),
        });
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.stuck = polled.is_pending();
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.stuck = polled.is_pending();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
