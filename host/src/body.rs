//! A request's body on its way upstream: streamed, never copied, counted as
//! it passes and held to its limit; or one of the gateway's own.

mod own;
mod patience;
mod pipe;

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    config::BodyLimits,
    exchange::{Piece, clean_trailers},
    respond::Error,
};

pub use own::{Own, Parts, Writer};
pub use patience::Patience;
pub use pipe::{Piped, Sender, pipe};

/// The next part of a body, as filters see it: of frames that are neither bytes
/// nor trailers nothing is left.
pub fn poll_piece<B>(body: &mut B, cx: &mut Context<'_>) -> Poll<Result<Piece, B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) else {
            return Poll::Ready(Ok(Piece::whole(Bytes::new())));
        };
        let piece = match frame?.into_data() {
            Ok(bytes) => Piece {
                bytes,
                end: body.is_end_stream(),
                trailers: None,
            },
            Err(frame) => Piece {
                trailers: frame.into_trailers().ok(),
                ..Piece::whole(Bytes::new())
            },
        };
        if piece.end && (piece.trailers.is_some() || body.is_end_stream())
            || !piece.bytes.is_empty()
        {
            return Poll::Ready(Ok(piece));
        }
    }
}

/// What is known of a request's body when it has passed, or broke.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: Cell<u64>,
    pending: Cell<bool>,
    answered: Cell<bool>,
    broken: Cell<Option<BodyError>>,
}

impl Meter {
    /// Bytes that came from the client so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// True while the client has not sent all of its body.
    pub fn is_pending(&self) -> bool {
        self.pending.get()
    }

    /// Says whether the response is on its way: then this body may stand still for
    /// as long as that one moves.
    pub fn answered(&self, answered: bool) {
        self.answered.set(answered);
    }

    /// The error that the body's own failure stands for, if it failed: it is
    /// the client's, not the upstream's, whatever the upstream says of it.
    pub fn error(&self) -> Option<Error> {
        self.broken.get().map(BodyError::means)
    }
}

/// Why a request's body did not pass in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than the limit.
    #[error("the request's body is over the limit")]
    TooLarge,
    /// The client sent nothing for too long.
    #[error("the client sent nothing for too long")]
    Slow,
    /// The client did not send all of it in time.
    #[error("the client took too long for all of its body")]
    TooLong,
    /// The client broke off, or its framing is malformed.
    #[error("the client broke off while sending its body")]
    Client,
    /// A filter that looks at it failed, or answers instead; or it broke off while
    /// it wrote the body of a request of its own.
    #[error("a filter stopped the request's body")]
    Filter,
}

impl BodyError {
    /// What it means to the request.
    pub fn means(self) -> Error {
        match self {
            Self::TooLarge => Error::BodyTooLarge,
            Self::Slow => Error::ClientSlow,
            Self::TooLong => Error::BodyTooLong,
            Self::Client | Self::Filter => Error::ClientGone,
        }
    }
}

/// A request's body on its way upstream.
#[derive(Debug, Default)]
pub enum RequestBody {
    /// No body: the request may be sent again.
    #[default]
    Empty,
    /// A body that can be sent once. In a box, since most requests have none, and
    /// all of them are moved about.
    Stream(Box<Metered>),
    /// What filters make of such a body.
    Piped(Piped),
    /// That of a request which the gateway makes itself.
    Own(Box<Own>),
}

/// A client's body that is counted.
#[derive(Debug)]
pub struct Metered {
    incoming: Incoming,
    meter: Rc<Meter>,
    limit: u64,
    patience: Patience,
}

impl RequestBody {
    /// The body of a request that came in at `begun`, with what it may take.
    pub fn new(incoming: Incoming, limits: impl FnOnce() -> BodyLimits, begun: Instant) -> Self {
        match incoming.is_end_stream() {
            true => Self::Empty,
            false => {
                let (limits, meter) = (limits(), Rc::new(Meter::default()));
                meter.pending.set(true);
                Self::Stream(Box::new(Metered {
                    incoming,
                    meter,
                    limit: limits.request_body,
                    patience: Patience::new(limits.body_timeout)
                        .until(begun + limits.body_total_timeout),
                }))
            }
        }
    }

    /// What is known of a client's body as it passes; none if there is no such body.
    pub fn meter(&self) -> Option<Rc<Meter>> {
        match self {
            Self::Stream(body) => Some(Rc::clone(&body.meter)),
            Self::Empty | Self::Piped(_) | Self::Own(_) => None,
        }
    }

    /// True if the body is known to be over its limit before a byte of it came.
    pub fn is_too_large(&self) -> bool {
        match self {
            Self::Empty | Self::Piped(_) | Self::Own(_) => false,
            Self::Stream(body) => body.incoming.size_hint().lower() > body.limit,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Stream(body) => body.poll_frame(cx),
            Self::Piped(body) => Pin::new(body).poll_frame(cx),
            Self::Own(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(body) => body.incoming.is_end_stream(),
            Self::Piped(body) => body.is_end_stream(),
            Self::Own(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(body) => body.incoming.size_hint(),
            Self::Piped(body) => body.size_hint(),
            Self::Own(body) => body.size_hint(),
        }
    }
}

impl Metered {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending() && self.poll_slow(cx).is_ready() {
            return self.broken(match self.patience.is_spent() {
                true => BodyError::TooLong,
                false => BodyError::Slow,
            });
        }
        let frame = ready!(polled);
        self.patience.moved();
        let Some(frame) = frame else {
            self.meter.pending.set(false);
            return Poll::Ready(None);
        };
        let Ok(mut frame) = frame else {
            return self.broken(BodyError::Client);
        };
        if let Some(trailers) = frame.trailers_mut() {
            clean_trailers(trailers);
        }
        if let Some(data) = frame.data_ref() {
            let bytes = self.meter.bytes.get() + data.len() as u64;
            if bytes > self.limit {
                return self.broken(BodyError::TooLarge);
            }
            self.meter.bytes.set(bytes);
            self.meter.pending.set(!self.incoming.is_end_stream());
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// Ready when the client has sent nothing for too long, or not all in time.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.patience.poll_over(cx));
        if !self.meter.answered.get() || self.patience.is_spent() {
            return Poll::Ready(());
        }
        self.patience.moved();
        self.patience.poll_over(cx)
    }

    fn broken(&self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.meter.broken.set(Some(error));
        Poll::Ready(Some(Err(error)))
    }
}
