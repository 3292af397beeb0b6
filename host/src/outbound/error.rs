//! Why a call has no answer.

/// Why a call has no answer: `http.error` of the WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The step does not allow it.
    #[error("not allowed")]
    Denied,
    /// Not a valid method, URL or header field.
    #[error("not a valid request")]
    Invalid,
    /// The service is not known, or has no healthy instance.
    #[error("no instance of the service")]
    Unavailable,
    /// The name has no address.
    #[error("the name has no address")]
    Resolve,
    /// No connection, or no TLS.
    #[error("no connection")]
    Connect,
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The other side broke off or spoke malformed HTTP.
    #[error("the other side broke off")]
    Broken,
    /// Larger than it may be.
    #[error("too large")]
    TooLarge,
    /// Too many calls are in flight already.
    #[error("too many calls in flight")]
    Busy,
}

impl Error {
    /// One word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too_large",
            Self::Busy => "busy",
        }
    }
}
