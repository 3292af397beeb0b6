//! A response's body on its way to the client.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::{
    body::{self, Patience, RequestBody},
    exchange::{AnswerBody, Broken, Failure, Parts, clean_trailers},
    pipeline::{Chain, Passage, Stop},
    respond::Error,
    upstream::UpstreamBody,
};

use super::{
    flight::{Flight, Held},
    tunnel::Tunnel,
};

/// The bytes of a response.
#[derive(Debug)]
pub(super) enum Content {
    /// All of them, made by the gateway or a filter. None once they are taken.
    Full(Option<Bytes>),
    /// Parts that a filter put together.
    Parts(Parts),
    /// Those of an upstream.
    Upstream(UpstreamBody<RequestBody>),
}

impl Content {
    /// True if none of it comes from an upstream.
    pub(super) fn is_own(&self) -> bool {
        !matches!(self, Self::Upstream(_))
    }

    pub(super) fn answer(body: AnswerBody) -> Self {
        match body {
            AnswerBody::Whole(bytes) => Self::Full(Some(bytes).filter(|bytes| !bytes.is_empty())),
            AnswerBody::Parts(parts) => Self::Parts(parts),
        }
    }
}

/// A response's body whose head waits for it.
pub(super) struct HeldResponse<'a> {
    pub(super) content: &'a mut Content,
    pub(super) chain: &'a mut Chain,
}

impl Held for HeldResponse<'_> {
    const LATE: Error = Error::Timeout;

    fn poll_hold(
        &mut self,
        cx: &mut Context<'_>,
        passage: &mut Passage<'_>,
    ) -> Poll<Result<(), Stop>> {
        let Self { content, chain } = self;
        while chain.holds() {
            let mut source = || body::poll_piece(*content, cx).map_err(|_| Error::Upstream);
            ready!(chain.poll_hold(passage, &mut source))?;
        }
        Poll::Ready(Ok(()))
    }

    fn chain(&mut self) -> &mut Chain {
        self.chain
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Parts(parts) => Pin::new(parts).poll_frame(cx),
            Self::Upstream(body) => {
                let mut frame = ready!(Pin::new(body).poll_frame(cx));
                if let Some(Ok(frame)) = &mut frame
                    && let Some(trailers) = frame.trailers_mut()
                {
                    clean_trailers(trailers);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::from)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Parts(parts) => parts.is_end_stream(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Parts(parts) => parts.size_hint(),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}

/// Why a response's body broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyBroken {
    /// The upstream's did.
    #[error("the upstream broke off")]
    Upstream(#[source] Broken),
    /// Neither it nor the request's has moved for too long.
    #[error("nothing came for too long")]
    Idle,
    /// A filter that looks at it failed, or could not be given all of it.
    #[error("{0}")]
    Filter(Error),
}

/// A response's body on its way to the client. Carries the exchange to its
/// end: read to the end, broken, or dropped.
pub struct ResponseBody {
    content: Content,
    flight: Option<Box<Flight>>,
    tunnel: Option<Box<Tunnel>>,
}

/// What is noted of a response while its body is on its way. In the flight, so that
/// a body is small: the library moves it about.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// What filters let pass behind the last bytes.
    trailers: Option<HeaderMap>,
    patience: Patience,
    /// Bytes of the request's body when that was looked at last.
    request_bytes: u64,
}

impl ResponseBody {
    pub(super) fn new(content: Content, mut flight: Box<Flight>, timeout: Duration) -> Self {
        let over = content.is_end_stream() && flight.chain.is_none();
        let nothing_follows = over || flight.is_bodiless();
        let flight = match nothing_follows {
            true => {
                flight.complete(None);
                None
            }
            false => {
                if let Some(meter) = &flight.meter {
                    meter.answered(true);
                }
                flight.sending.patience = Patience::new(timeout);
                Some(flight)
            }
        };
        Self {
            content,
            flight,
            tunnel: None,
        }
    }

    /// A body of an answer that has no exchange.
    pub(super) fn local(body: AnswerBody) -> Self {
        Self {
            content: Content::answer(body),
            flight: None,
            tunnel: None,
        }
    }

    /// That of a response which is the last word of HTTP on its connection or
    /// stream: empty.
    pub(super) fn tunnel(tunnel: Tunnel) -> Self {
        Self {
            content: Content::Full(None),
            flight: None,
            tunnel: Some(Box::new(tunnel)),
        }
    }

    /// Takes what is to be run once the response's head is sent, if the request
    /// has changed to another protocol.
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        self.tunnel.take()
    }

    fn complete(&mut self, failure: Option<Failure>) {
        if let Some(mut flight) = self.flight.take() {
            flight.complete(failure);
        }
    }

    fn has_trailers(&self) -> bool {
        let sending = self.flight.as_ref().map(|flight| &flight.sending);
        sending.is_some_and(|sending| sending.trailers.is_some())
    }

    fn chain(&self) -> Option<&Chain> {
        self.flight.as_ref()?.chain.as_deref()
    }

    /// The next frame that comes out of filters.
    fn poll_chain(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        let Self {
            content,
            flight: Some(flight),
            ..
        } = self
        else {
            return Poll::Ready(None);
        };
        if let Some(trailers) = flight.sending.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let Some(mut chain) = flight.chain.take() else {
            return Poll::Ready(None);
        };
        let mut broken = None;
        let mut source = || {
            body::poll_piece(content, cx).map_err(|error| {
                broken = Some(error);
                Error::Upstream
            })
        };
        let polled = match chain.is_over() {
            true => None,
            false => Some(flight.passing(|passage| chain.poll_next(passage, &mut source))),
        };
        flight.chain = Some(chain);
        let Some(polled) = polled else {
            return Poll::Ready(None);
        };
        match ready!(polled) {
            Ok(piece) if piece.bytes.is_empty() => {
                Poll::Ready(piece.trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Ok(piece) => {
                flight.sending.trailers = piece.trailers;
                Poll::Ready(Some(Ok(Frame::data(piece.bytes))))
            }
            Err(stop) => Poll::Ready(Some(Err(match broken {
                Some(upstream) => BodyBroken::Upstream(upstream),
                None => BodyBroken::Filter(stop.error()),
            }))),
        }
    }

    /// Ready when neither body has moved for too long.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What is no exchange, or is over, is waited for by nobody.
        let Some(flight) = &mut self.flight else {
            return Poll::Pending;
        };
        let sending = &mut flight.sending;
        ready!(sending.patience.poll_over(cx));
        let bytes = flight.meter.as_ref().map_or(0, |meter| meter.bytes());
        if std::mem::replace(&mut sending.request_bytes, bytes) == bytes {
            return Poll::Ready(());
        }
        sending.patience.moved();
        sending.patience.poll_over(cx)
    }

    fn poll_content(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        if let Some(flight) = &mut self.flight {
            if flight.pump.is_some() {
                // Whatever stops the request's body breaks the upstream's answer.
                let _ = flight.poll_pump(cx);
            }
            if flight.chain.is_some() {
                return self.poll_chain(cx);
            }
        }
        Pin::new(&mut self.content)
            .poll_frame(cx)
            .map_err(BodyBroken::Upstream)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        let polled = self.poll_content(cx);
        if polled.is_pending() && self.poll_idle(cx).is_ready() {
            self.complete(Some(Failure::Timeout));
            return Poll::Ready(Some(Err(BodyBroken::Idle)));
        }
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(flight) = &mut self.flight {
                    flight.sending.patience.moved();
                    flight.outcome.response_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                }
                if self.is_end_stream() {
                    self.complete(None);
                }
            }
            Some(Err(BodyBroken::Upstream(_))) => {
                let failure = self.flight.as_deref().map(Flight::broken_off);
                self.complete(failure);
            }
            Some(Err(BodyBroken::Filter(_))) => self.complete(Some(Failure::Filter)),
            Some(Err(BodyBroken::Idle)) => self.complete(Some(Failure::Timeout)),
            None => self.complete(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self.chain() {
            Some(chain) => chain.is_over() && !self.has_trailers(),
            None => self.content.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.chain() {
            Some(chain) => match chain.length() {
                Some(length) => SizeHint::with_exact(length),
                None if chain.changes() => SizeHint::default(),
                None => self.content.size_hint(),
            },
            None => self.content.size_hint(),
        }
    }
}
