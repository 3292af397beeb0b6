//! What holds for the bodies of one route, where it is not what holds for all, and
//! the reader of it.

use std::time::Duration;

use super::{
    Limits,
    duration::{duration, duration_up_to},
    reader::Item,
    size::{GIB, size},
};

/// The largest body that a bound may let pass.
const LARGEST_BODY: u64 = 1024 * 1024 * GIB;

/// The longest that a body may be let take: calls whose client streams may go on
/// for as long as anything does.
const LONGEST_BODY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What holds for the bodies of one route. What is not given is as in [`Limits`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteLimits {
    /// Bytes of a request's body.
    pub request_body: Option<u64>,
    /// How long a client may send nothing of a body that is waited for.
    pub body_timeout: Option<Duration>,
    /// How long it may take to send all of one.
    pub body_total_timeout: Option<Duration>,
    /// How long both bodies may stand still once the response has begun.
    pub stream_timeout: Option<Duration>,
}

/// What holds for the bodies of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of the request's.
    pub request_body: u64,
    /// How long the client may send nothing of it.
    pub body_timeout: Duration,
    /// How long it may take to send all of it.
    pub body_total_timeout: Duration,
    /// How long both may stand still once the response has begun.
    pub stream_timeout: Duration,
}

impl RouteLimits {
    /// What holds on the route where `limits` hold for all.
    pub fn over(&self, limits: &Limits) -> BodyLimits {
        BodyLimits {
            request_body: self.request_body.unwrap_or(limits.request_body),
            body_timeout: self.body_timeout.unwrap_or(limits.body_timeout),
            body_total_timeout: self.body_total_timeout.unwrap_or(limits.body_total_timeout),
            stream_timeout: self.stream_timeout.unwrap_or(limits.stream_timeout),
        }
    }
}

/// The keys are the fields of [`RouteLimits`].
pub(super) fn route_limits(item: &Item<'_>) -> Option<RouteLimits> {
    let fields = item.fields(&[
        "request_body",
        "body_timeout",
        "body_total_timeout",
        "stream_timeout",
    ])?;
    Some(RouteLimits {
        request_body: fields.read("request_body", body_size),
        body_timeout: fields.read("body_timeout", duration),
        body_total_timeout: fields.read("body_total_timeout", body_time),
        stream_timeout: fields.read("stream_timeout", duration),
    })
}

/// Bytes of a body, which is streamed.
pub(super) fn body_size(item: &Item<'_>) -> Option<u64> {
    size(item, 0..=LARGEST_BODY)
}

/// How long all of a body may take.
pub(super) fn body_time(item: &Item<'_>) -> Option<Duration> {
    duration_up_to(item, LONGEST_BODY)
}
