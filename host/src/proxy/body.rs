//! A response's body on its way to the client.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{body::RequestBody, exchange::Failure, upstream::UpstreamBody};

use super::Flight;

/// The bytes of a response.
#[derive(Debug)]
pub(super) enum Content {
    /// All of them, made by the gateway or a filter. None once they are taken.
    Full(Option<Bytes>),
    /// Those of an upstream.
    Upstream(UpstreamBody<RequestBody>),
}

impl Content {
    pub(super) fn full(bytes: Bytes) -> Self {
        Self::Full(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}

/// A response's body on its way to the client. Carries the exchange to its
/// end: read to the end, broken, or dropped.
pub struct ResponseBody {
    content: Content,
    flight: Option<Flight>,
}

impl ResponseBody {
    pub(super) fn new(content: Content, mut flight: Flight) -> Self {
        let nothing_follows = content.is_end_stream() || flight.is_bodiless();
        let flight = match nothing_follows {
            true => {
                flight.complete(None);
                None
            }
            false => Some(flight),
        };
        Self { content, flight }
    }

    /// A body of an answer that has no exchange.
    pub(super) fn local(bytes: Bytes) -> Self {
        Self {
            content: Content::full(bytes),
            flight: None,
        }
    }

    fn complete(&mut self, failure: Option<Failure>) {
        if let Some(mut flight) = self.flight.take() {
            flight.complete(failure);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.content).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(flight)) = (frame.data_ref(), &mut self.flight) {
                    flight.outcome.response_bytes += data.len() as u64;
                }
                if self.content.is_end_stream() {
                    self.complete(None);
                }
            }
            Some(Err(_)) => self.complete(Some(Failure::Upstream)),
            None => self.complete(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
