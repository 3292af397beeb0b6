//! What can go wrong between a request and the head of its response.

use std::{error::Error as StdError, fmt};

use http::Request;
use hyper::client::conn::TrySendError;

use super::{connection::ConnectError, framing::Fault, retry::Reason};

type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong, as the answer to the client depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SendErrorKind {
    /// No connection came about: refused, unreachable, out of descriptors.
    Connect,
    /// The TLS handshake failed: the other side is not who it should be, does
    /// not take our certificate, or does not speak TLS.
    Tls,
    /// Connecting took longer than the pool's limit.
    ConnectTimeout,
    /// The connection broke before the response's head was whole.
    Reset,
    /// The upstream spoke, but not HTTP/1.1 as it must be: malformed, above the
    /// limits (64 KiB or 100 fields of head), or of ambiguous length.
    Malformed,
    /// The upstream does not take the request to change to another protocol.
    NotTaken,
    /// The body of the request failed: the client's doing, not the upstream's.
    RequestBody,
}

/// Why there is no response.
pub struct SendError<B> {
    /// What went wrong.
    pub kind: SendErrorKind,
    /// The whole request, if nothing of it was written: it may go elsewhere,
    /// whatever its method.
    pub unsent: Option<Box<Request<B>>>,
    /// What a retry policy is asked about; none if a retry makes no sense.
    pub reason: Option<Reason>,
    source: Option<BoxError>,
}

impl<B> SendError<B> {
    pub(super) fn connect(error: ConnectError, request: Request<B>) -> Self {
        let (kind, source) = match error {
            ConnectError::Failed(error) => (SendErrorKind::Connect, Some(error.into())),
            ConnectError::Tls(error) => (SendErrorKind::Tls, Some(error.into())),
            ConnectError::Timeout => (SendErrorKind::ConnectTimeout, None),
            ConnectError::Handshake(error) => (SendErrorKind::Connect, Some(error.into())),
        };
        Self::unsent(kind, request, source)
    }

    /// `reused`: the connection had carried an exchange before.
    pub(super) fn send(mut error: TrySendError<Request<B>>, reused: bool) -> Self {
        let request = error.take_message();
        let error = error.into_error();
        let kind = kind_of(&error);
        match request {
            Some(request) => Self::unsent(kind, request, Some(error.into())),
            None => Self {
                kind,
                unsent: None,
                reason: reason_of(kind, reused),
                source: Some(error.into()),
            },
        }
    }

    /// As `send`. `copy` is the request, if it can be sent once more: it is as good as
    /// unsent if the other side has said that it has done nothing about it.
    pub(super) fn of_stream(
        error: TrySendError<Request<B>>,
        reused: bool,
        copy: Option<Request<B>>,
    ) -> Self {
        let sent = Self::send(error, reused);
        match (&sent.unsent, &sent.source, copy) {
            (None, Some(source), Some(copy)) if is_untouched(source) => {
                Self::unsent(sent.kind, copy, sent.source)
            }
            _ => sent,
        }
    }

    /// The other side has said that it takes no such request, which was not sent.
    pub(super) fn not_taken(request: Request<B>) -> Self {
        Self {
            reason: None,
            ..Self::unsent(SendErrorKind::NotTaken, request, None)
        }
    }

    pub(super) fn framing(fault: Fault) -> Self {
        Self {
            kind: SendErrorKind::Malformed,
            unsent: None,
            reason: Some(Reason::Reset),
            source: Some(fault.into()),
        }
    }

    fn unsent(kind: SendErrorKind, request: Request<B>, source: Option<BoxError>) -> Self {
        Self {
            kind,
            unsent: Some(Box::new(request)),
            reason: Some(Reason::ConnectFailure),
            source,
        }
    }
}

/// True if the other side has done nothing about a request: it has refused the stream,
/// or has ended the connection before it (RFC 9113 §8.7). The library says the latter
/// of such streams alone.
fn is_untouched(error: &BoxError) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref());
    error.is_some_and(|error: &h2::Error| {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

fn kind_of(error: &hyper::Error) -> SendErrorKind {
    if error.is_user() {
        SendErrorKind::RequestBody
    } else if error.is_parse() {
        SendErrorKind::Malformed
    } else {
        SendErrorKind::Reset
    }
}

fn reason_of(kind: SendErrorKind, reused: bool) -> Option<Reason> {
    match kind {
        SendErrorKind::RequestBody => None,
        SendErrorKind::Reset if reused => Some(Reason::Stale),
        _ => Some(Reason::Reset),
    }
}

impl<B> fmt::Display for SendError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SendErrorKind::Connect => "the upstream cannot be connected to",
            SendErrorKind::Tls => "the TLS handshake with the upstream failed",
            SendErrorKind::ConnectTimeout => "connecting to the upstream took too long",
            SendErrorKind::Reset => "the upstream broke off before its response",
            SendErrorKind::Malformed => "the upstream's response is malformed",
            SendErrorKind::NotTaken => "the upstream takes no request that changes its protocol",
            SendErrorKind::RequestBody => "the request's body broke off",
        })
    }
}

impl<B> fmt::Debug for SendError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("kind", &self.kind)
            .field("unsent", &self.unsent.is_some())
            .field("reason", &self.reason)
            .field("source", &self.source)
            .finish()
    }
}

impl<B> StdError for SendError<B> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
