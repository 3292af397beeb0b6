//! Whether a request may be sent once more (RFC 9110 §9.2.2).
//!
//! Two questions, both to be answered yes: does the configuration name the
//! reason, and may this request be repeated? How long to wait is
//! [`Backoff`](super::Backoff)'s matter, whether there are too many retries
//! already [`Budget`](super::Budget)'s. Called by the proxy.

use http::{Method, StatusCode};

use crate::config::{Retries, RetryOn};

/// Why a request did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nothing of the request was written: no connection, or a dead one.
    ConnectFailure,
    /// A kept connection broke before the response. Most likely the upstream
    /// closed it as idle when the request was on its way, so this counts as a
    /// failure to connect where the request may be repeated.
    Stale,
    /// A connection broke, or brought nonsense, after the request was sent.
    Reset,
    /// The try took too long.
    Timeout,
    /// The upstream answered 502, 503 or 504.
    GatewayError,
    /// The upstream answered another 5xx.
    ServerError,
}

impl Reason {
    /// The reason that a response's status gives, if it gives one.
    pub fn of_status(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            502..=504 => Some(Self::GatewayError),
            500..=599 => Some(Self::ServerError),
            _ => None,
        }
    }

    fn among(self, on: &[RetryOn]) -> bool {
        on.iter().any(|on| match on {
            RetryOn::ConnectFailure => matches!(self, Self::ConnectFailure | Self::Stale),
            RetryOn::Reset => matches!(self, Self::Reset | Self::Stale),
            RetryOn::Timeout => self == Self::Timeout,
            RetryOn::GatewayError => self == Self::GatewayError,
            RetryOn::ServerError => matches!(self, Self::GatewayError | Self::ServerError),
        })
    }
}

/// What is left of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// There is none.
    Empty,
    /// All of it: none was handed to a connection that wrote anything.
    NotStarted,
    /// Not all of it.
    Consumed,
}

/// What decides whether a request may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeatable {
    /// Sent twice it has the effect of once.
    pub idempotent: bool,
    /// What is left of its body.
    pub body: RequestBody,
}

impl Repeatable {
    /// A request with this method and what is left of its body.
    pub fn new(method: &Method, body: RequestBody) -> Self {
        Self {
            idempotent: method.is_idempotent(),
            body,
        }
    }

    /// Before anything was written every request may be repeated as long as
    /// its body is whole; after that only what is idempotent and has none.
    fn after(self, reason: Reason) -> bool {
        match reason {
            Reason::ConnectFailure => self.body != RequestBody::Consumed,
            _ => self.idempotent && self.body == RequestBody::Empty,
        }
    }
}

/// A route's retries, ready to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a>(&'a Retries);

impl<'a> Policy<'a> {
    /// The policy that a route's configuration describes. Free of cost.
    pub fn new(retries: &'a Retries) -> Self {
        Self(retries)
    }

    /// True if the request may be sent once more. `attempts`: how often it was
    /// sent, or tried to be, so far; at least 1.
    pub fn should_retry(&self, reason: Reason, request: Repeatable, attempts: u32) -> bool {
        attempts < self.0.attempts.get() && reason.among(&self.0.on) && request.after(reason)
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::config::Backoff;

    fn retries(attempts: u32, on: &[RetryOn]) -> Retries {
        Retries {
            attempts: NonZeroU32::new(attempts).expect("not zero"),
            per_try_timeout: None,
            on: on.to_vec(),
            backoff: Backoff {
                base: Duration::from_millis(25),
                max: Duration::from_millis(250),
            },
            budget_percent: 20,
            budget_min_per_second: 3,
        }
    }

    #[test]
    fn repeats_only_what_may_be_repeated() {
        use Reason::*;
        use RequestBody::*;
        let every = [
            RetryOn::ConnectFailure,
            RetryOn::GatewayError,
            RetryOn::ServerError,
            RetryOn::Reset,
            RetryOn::Timeout,
        ];
        let retries = retries(3, &every);
        let cases = [
            (ConnectFailure, Method::POST, NotStarted, true),
            (ConnectFailure, Method::POST, Empty, true),
            (ConnectFailure, Method::GET, Consumed, false),
            (Stale, Method::GET, Empty, true),
            (Stale, Method::POST, Empty, false),
            (Stale, Method::PUT, Consumed, false),
            (Reset, Method::GET, Empty, true),
            (Reset, Method::PATCH, Empty, false),
            (Reset, Method::PUT, NotStarted, false),
            (Timeout, Method::DELETE, Empty, true),
            (Timeout, Method::POST, Empty, false),
            (GatewayError, Method::HEAD, Empty, true),
            (ServerError, Method::GET, Empty, true),
            (ServerError, Method::POST, Empty, false),
        ];
        for (reason, method, body, expected) in cases {
            let request = Repeatable::new(&method, body);
            let answer = Policy::new(&retries).should_retry(reason, request, 1);
            assert_eq!(answer, expected, "{reason:?} {method} {body:?}");
        }
    }

    #[test]
    fn repeats_only_for_the_reasons_configured() {
        let request = Repeatable::new(&Method::GET, RequestBody::Empty);
        let cases = [
            (
                RetryOn::ConnectFailure,
                vec![Reason::ConnectFailure, Reason::Stale],
            ),
            (RetryOn::Reset, vec![Reason::Stale, Reason::Reset]),
            (RetryOn::Timeout, vec![Reason::Timeout]),
            (RetryOn::GatewayError, vec![Reason::GatewayError]),
            (
                RetryOn::ServerError,
                vec![Reason::GatewayError, Reason::ServerError],
            ),
        ];
        let reasons = [
            Reason::ConnectFailure,
            Reason::Stale,
            Reason::Reset,
            Reason::Timeout,
            Reason::GatewayError,
            Reason::ServerError,
        ];
        for (on, expected) in cases {
            let retries = retries(2, &[on]);
            let policy = Policy::new(&retries);
            let allowed: Vec<_> = reasons
                .into_iter()
                .filter(|reason| policy.should_retry(*reason, request, 1))
                .collect();
            assert_eq!(allowed, expected, "{on:?}");
        }
    }

    #[test]
    fn stops_at_the_number_of_attempts() {
        let retries = retries(3, &[RetryOn::ConnectFailure]);
        let request = Repeatable::new(&Method::GET, RequestBody::Empty);
        let asked = |attempts| {
            Policy::new(&retries).should_retry(Reason::ConnectFailure, request, attempts)
        };
        assert_eq!([1, 2, 3, 4].map(asked), [true, true, false, false]);
    }

    #[test]
    fn statuses_give_reasons() {
        let cases = [
            (200, None),
            (429, None),
            (500, Some(Reason::ServerError)),
            (501, Some(Reason::ServerError)),
            (502, Some(Reason::GatewayError)),
            (503, Some(Reason::GatewayError)),
            (504, Some(Reason::GatewayError)),
            (505, Some(Reason::ServerError)),
        ];
        for (status, expected) in cases {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Reason::of_status(status), expected, "{status}");
        }
    }
}
