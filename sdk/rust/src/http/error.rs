//! Why there is no answer.

use std::fmt;

use crate::bindings::imports::portcullis::gateway::http as host;

macro_rules! errors {
    ($($(#[doc = $doc:literal])* $name:ident: $text:literal,)*) => {
        /// Why there is no answer, or no more of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Error {
            $($(#[doc = $doc])* $name,)*
        }

        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }

        impl From<host::Error> for Error {
            fn from(error: host::Error) -> Self {
                match error {
                    $(host::Error::$name => Self::$name,)*
                }
            }
        }

        #[cfg(not(target_family = "wasm"))]
        impl From<Error> for host::Error {
            fn from(error: Error) -> Self {
                match error {
                    $(Error::$name => Self::$name,)*
                }
            }
        }
    };
}

errors! {
    /// Not allowed by the step: the host or service, or an address that it
    /// resolves to (loopback, link-local, private, the gateway's own).
    Denied: "the request is not allowed",
    /// Not a valid method, URL or header field.
    Invalid: "the request is not valid",
    /// The service is not known, or has no healthy instance.
    Unavailable: "the service has no healthy instance",
    /// The name has no address.
    Resolve: "the host's name has no address",
    /// No connection, or no TLS.
    Connect: "the host cannot be connected to",
    /// It took too long.
    Timeout: "the answer took too long",
    /// The other side broke off or spoke malformed HTTP.
    Broken: "the answer broke off",
    /// The answer is larger than the request allows; or the request's whole body
    /// than the plugin's limit `http_request_size` (1 MiB unless configured).
    TooLarge: "the answer or the request is too large",
    /// Too many calls are in flight already.
    Busy: "too many requests are in flight",
}

impl std::error::Error for Error {}
