//! A response's body, which knows where its connection belongs.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    connection::Connection, extended::Alone, multiplexed::Stream, pool::Lease, switch::Switched,
};

/// What carries an exchange.
pub(super) enum Carrier<B> {
    /// A connection of its own.
    Connection(Lease<B>),
    /// One that might have changed its protocol and did not; closed when this is
    /// dropped.
    Own(#[expect(dead_code, reason = "held for the time of the exchange")] Connection<B>),
    /// The same in HTTP/2.
    Alone(#[expect(dead_code, reason = "held for the time of the exchange")] Alone<B>),
    /// One that did.
    Switched(Box<Switched>),
    /// One request of a connection with many; it counts until this is dropped.
    Stream(#[expect(dead_code, reason = "held for the time of the exchange")] Stream<B>),
}

/// The body of an upstream's response.
///
/// Read to its end it gives the connection back to the pool; dropped before,
/// or broken, it closes it. `B` is the type of the request's body.
///
/// # Errors
///
/// Frames fail if the connection breaks before the body's end.
pub struct UpstreamBody<B> {
    incoming: Incoming,
    carrier: Option<Carrier<B>>,
}

impl<B> UpstreamBody<B> {
    pub(super) fn new(incoming: Incoming, carrier: Carrier<B>) -> Self {
        let mut body = Self {
            incoming,
            carrier: Some(carrier),
        };
        if body.incoming.is_end_stream() {
            body.give_back();
        }
        body
    }

    /// What has become of a connection that changed its protocol, with the head
    /// of the response that said so.
    pub(super) fn switched(incoming: Incoming, switched: Switched) -> Self {
        Self {
            incoming,
            carrier: Some(Carrier::Switched(Box::new(switched))),
        }
    }

    /// Takes the connection, if it has changed its protocol.
    pub fn take_switched(&mut self) -> Option<Switched> {
        match self.carrier.take() {
            Some(Carrier::Switched(switched)) => Some(*switched),
            other => {
                self.carrier = other;
                None
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(Carrier::Connection(lease)) = self.carrier.take() {
            lease.give_back();
        }
    }
}

impl<B> Body for UpstreamBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        match &polled {
            Poll::Ready(None) => self.give_back(),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.give_back(),
            Poll::Ready(Some(Err(_))) => self.carrier = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl<B> std::fmt::Debug for UpstreamBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamBody")
            .field("incoming", &self.incoming)
            .finish_non_exhaustive()
    }
}
