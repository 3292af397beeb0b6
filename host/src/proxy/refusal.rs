//! Why a request was refused before it had a route, for the answer and for the
//! count of refusals.

use crate::{observe::Refused, respond::Error};

/// What a request is refused with.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: Error,
    pub(super) reason: Option<Refused>,
}

impl Refusal {
    /// The request's host is none, or two.
    pub(super) fn host(error: Error) -> Self {
        Self {
            error,
            reason: Some(Refused::Host),
        }
    }

    /// The request's target has no one form.
    pub(super) fn path(error: Error) -> Self {
        Self {
            error,
            reason: Some(Refused::Path),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let reason = reason(&error);
        Self { error, reason }
    }
}

/// What the client is refused for with an error; none if it is not the client's.
pub(super) fn reason(error: &Error) -> Option<Refused> {
    match error {
        Error::BadRequest(_) => Some(Refused::Framing),
        Error::NotImplemented => Some(Refused::Method),
        Error::HeadTooLarge => Some(Refused::Head),
        Error::BodyTooLarge => Some(Refused::Body),
        Error::ClientSlow => Some(Refused::BodyTimeout),
        Error::BodyTooLong => Some(Refused::BodyTotalTimeout),
        Error::Overloaded => Some(Refused::Requests),
        _ => None,
    }
}
