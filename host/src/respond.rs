//! Errors become HTTP here, and nowhere else.
//!
//! Every answer that the gateway gives by itself is a problem document
//! (RFC 9457, `application/problem+json`) with the request's id, so that a
//! client can tell it from one of the upstream's.

use std::fmt::{self, Write as _};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::exchange::{Answer, Failure, RequestId, Side};

/// Why the gateway answers by itself. Where it arose is set at birth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request is malformed or ambiguous; says how.
    BadRequest(&'static str),
    /// No route matches.
    NoRoute,
    /// A route matches all but the method.
    MethodNotAllowed(Vec<Method>),
    /// The method is one that a gateway does not serve (`CONNECT`, `TRACE`).
    NotImplemented,
    /// The route does not take requests that change to this protocol.
    NotUpgraded,
    /// The request comes back to the gateway again and again.
    Loop,
    /// The head has more fields than the limit.
    HeadTooLarge,
    /// The body is over its limit.
    BodyTooLarge,
    /// The body is longer than a filter that wants to see it whole can take.
    BufferFull(Side),
    /// The body is not what its `Content-Encoding` says.
    Coding(Side),
    /// The client broke off while its body was read.
    ClientGone,
    /// The route's time ran out while the client was still sending its body.
    ClientSlow,
    /// The body came for longer than it may in all.
    BodyTooLong,
    /// The worker has as many requests at once as it may.
    Overloaded,
    /// Neither the route nor a filter named a service.
    NoService,
    /// The service has no healthy instance.
    NoInstance,
    /// A filter or balancer failed.
    Plugin,
    /// A filter or balancer failed too often and is not called; says for how
    /// many seconds.
    Quarantined(u64),
    /// As many calls of a filter or balancer are at work as there may be.
    PluginBusy,
    /// The route's time ran out while a filter waited for others.
    PluginTimeout,
    /// A filter or balancer is required and is not there.
    PluginMissing,
    /// No connection to an instance.
    Connect,
    /// The service takes no request that changes to this protocol.
    NotTaken,
    /// The upstream broke off or answered malformed HTTP.
    Upstream,
    /// The route's or the try's time ran out.
    Timeout,
}

impl Error {
    /// The status that stands for the error.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ClientGone | Self::Coding(Side::Request) => {
                StatusCode::BAD_REQUEST
            }
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotImplemented | Self::NotUpgraded => StatusCode::NOT_IMPLEMENTED,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::ClientSlow | Self::BodyTooLong => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge | Self::BufferFull(Side::Request) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded
            | Self::NoService
            | Self::NoInstance
            | Self::Plugin
            | Self::PluginBusy
            | Self::Quarantined(_)
            | Self::PluginMissing => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect
            | Self::NotTaken
            | Self::Upstream
            | Self::BufferFull(Side::Response)
            | Self::Coding(Side::Response) => StatusCode::BAD_GATEWAY,
            Self::Timeout | Self::PluginTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The class that completion hooks are told.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Connect => Failure::Connect,
            Self::Timeout => Failure::Timeout,
            Self::Upstream | Self::NotTaken | Self::Coding(Side::Response) => Failure::Upstream,
            Self::BufferFull(Side::Response) => Failure::Filter,
            Self::Overloaded | Self::NoInstance | Self::NoService => Failure::Unavailable,
            Self::Plugin
            | Self::PluginBusy
            | Self::PluginTimeout
            | Self::Quarantined(_)
            | Self::PluginMissing => Failure::Filter,
            _ => Failure::Client,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRequest(how) => how,
            Self::NoRoute => "no route matches this request",
            Self::MethodNotAllowed(_) => "the route does not take this method",
            Self::NotImplemented => "the gateway does not serve this method",
            Self::NotUpgraded => "the route does not take this protocol",
            Self::Loop => "the request goes in a circle through this gateway",
            Self::HeadTooLarge => "the request's head is over the limit",
            Self::BodyTooLarge => "the request's body is over the limit",
            Self::BufferFull(Side::Request) => {
                "the request's body is longer than a filter that sees it whole can take"
            }
            Self::BufferFull(Side::Response) => {
                "the response's body is longer than a filter that sees it whole can take"
            }
            Self::Coding(Side::Request) => "the request's body is not of its content coding",
            Self::Coding(Side::Response) => "the response's body is not of its content coding",
            Self::ClientGone => "the client broke off while sending its body",
            Self::ClientSlow => "the client took too long to send its body",
            Self::BodyTooLong => "the client took too long for all of its body",
            Self::Overloaded => "the gateway has as many requests at once as it may",
            Self::NoService => "no service is named for this request",
            Self::NoInstance => "the service has no healthy instance",
            Self::Plugin => "a plugin failed on this request",
            Self::Quarantined(_) => "a plugin failed too often and is not called for a while",
            Self::PluginBusy => "a plugin has as many requests at work as it may",
            Self::PluginTimeout => "a plugin waited too long for others",
            Self::PluginMissing => "a plugin that is required is missing",
            Self::Connect => "the upstream could not be connected to",
            Self::NotTaken => "the service takes no request that changes to this protocol",
            Self::Upstream => "the upstream broke off or answered malformed HTTP",
            Self::Timeout => "the upstream took too long",
        })
    }
}

impl std::error::Error for Error {}

/// The answer for an error.
pub fn answer(error: &Error, request_id: &RequestId) -> Answer {
    let status = error.status();
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Error::MethodNotAllowed(allow) = error {
        headers.insert(header::ALLOW, allow_value(allow));
    }
    if let Some(seconds) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Answer {
        status,
        headers,
        body: problem(status, error, request_id).into(),
    }
}

/// When to come again, in seconds, where that is known.
fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::Quarantined(seconds) => Some(*seconds),
        Error::PluginBusy | Error::Overloaded => Some(1),
        _ => None,
    }
}

fn allow_value(allow: &[Method]) -> HeaderValue {
    let list: Vec<&str> = allow.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&list.join(", ")).expect("invariant: methods are header tokens")
}

/// The JSON of a problem document. Details are fixed texts without characters
/// that JSON would need to escape; the id is checked where it is made.
fn problem(status: StatusCode, error: &Error, request_id: &RequestId) -> String {
    let mut json = String::with_capacity(160);
    let title = status.canonical_reason().unwrap_or("Error");
    write!(
        json,
        r#"{{"type":"about:blank","title":"{title}","status":{},"detail":"{error}","request_id":"{}"}}"#,
        status.as_u16(),
        request_id.as_str(),
    )
    .expect("invariant: writing to a String cannot fail");
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_a_problem_document_with_its_status_and_id() {
        let id = RequestId(HeaderValue::from_static("abc"));
        let cases = [
            (Error::BadRequest("the Host header is missing"), 400),
            (Error::ClientGone, 400),
            (Error::ClientSlow, 408),
            (Error::BodyTooLong, 408),
            (Error::NoRoute, 404),
            (Error::MethodNotAllowed(vec![Method::GET]), 405),
            (Error::BodyTooLarge, 413),
            (Error::HeadTooLarge, 431),
            (Error::NotImplemented, 501),
            (Error::NotUpgraded, 501),
            (Error::Connect, 502),
            (Error::NotTaken, 502),
            (Error::Upstream, 502),
            (Error::NoService, 503),
            (Error::NoInstance, 503),
            (Error::Plugin, 503),
            (Error::Quarantined(1), 503),
            (Error::PluginBusy, 503),
            (Error::PluginMissing, 503),
            (Error::PluginTimeout, 504),
            (Error::Timeout, 504),
            (Error::Loop, 508),
            (Error::BufferFull(Side::Request), 413),
            (Error::BufferFull(Side::Response), 502),
            (Error::Coding(Side::Request), 400),
            (Error::Coding(Side::Response), 502),
        ];
        for (error, status) in cases {
            let answer = answer(&error, &id);
            assert_eq!(answer.status.as_u16(), status, "{error}");
            assert_eq!(
                answer.headers[header::CONTENT_TYPE],
                "application/problem+json"
            );
            let crate::exchange::AnswerBody::Whole(body) = answer.body else {
                panic!("it is whole");
            };
            let json: serde_json::Value =
                serde_json::from_slice(&body).expect("a problem document is JSON");
            assert_eq!(json["status"], status);
            assert_eq!(json["request_id"], "abc");
            assert_eq!(json["detail"], error.to_string());
        }
    }

    #[test]
    fn a_plugin_that_is_not_called_says_when_to_come_back() {
        let id = RequestId(HeaderValue::from_static("abc"));
        for (error, seconds) in [(Error::Quarantined(7), "7"), (Error::PluginBusy, "1")] {
            let answer = answer(&error, &id);
            assert_eq!(answer.headers[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn method_not_allowed_names_the_methods() {
        let id = RequestId(HeaderValue::from_static("abc"));
        let error = Error::MethodNotAllowed(vec![Method::GET, Method::POST]);
        assert_eq!(answer(&error, &id).headers[header::ALLOW], "GET, POST");
    }
}
