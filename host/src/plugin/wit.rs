//! Rust images of the WIT package's types, and nothing else.

use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmList, WasmStr};

use crate::{crypto, exchange, outbound, state};

use super::host::Held;

/// `verdicts.verdict`.
#[expect(dead_code, reason = "made by plugins only")]
#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Verdict {
    #[component(name = "next")]
    Next,
    #[component(name = "respond")]
    Respond,
    #[component(name = "fail")]
    Fail,
}

/// `chunk-verdicts.chunk-verdict`.
#[expect(dead_code, reason = "made by plugins only")]
#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum ChunkVerdict {
    #[component(name = "pass")]
    Pass,
    #[component(name = "pass-rest")]
    PassRest,
    #[component(name = "replace")]
    Replace,
    #[component(name = "respond")]
    Respond,
    #[component(name = "fail")]
    Fail,
}

/// `metadata.description`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Description {
    pub(super) summary: String,
    pub(super) version: String,
    #[component(name = "config-schema")]
    pub(super) config_schema: Option<String>,
}

/// `completion.failure`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Failure {
    #[component(name = "none")]
    None,
    #[component(name = "connect")]
    Connect,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "upstream")]
    Upstream,
    #[component(name = "unavailable")]
    Unavailable,
    #[component(name = "filter")]
    Filter,
    #[component(name = "client")]
    Client,
}

/// `completion.outcome`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(super) struct Outcome {
    status: u16,
    failure: Failure,
    forwarded: bool,
    #[component(name = "duration-us")]
    duration_us: u64,
    #[component(name = "request-bytes")]
    request_bytes: u64,
    #[component(name = "response-bytes")]
    response_bytes: u64,
    attempts: u32,
}

impl From<&exchange::Outcome> for Outcome {
    fn from(outcome: &exchange::Outcome) -> Self {
        Self {
            status: outcome.status,
            failure: match outcome.failure {
                exchange::Failure::None => Failure::None,
                exchange::Failure::Connect => Failure::Connect,
                exchange::Failure::Timeout => Failure::Timeout,
                exchange::Failure::Upstream => Failure::Upstream,
                exchange::Failure::Unavailable => Failure::Unavailable,
                exchange::Failure::Filter => Failure::Filter,
                exchange::Failure::Client => Failure::Client,
            },
            forwarded: outcome.forwarded,
            duration_us: outcome.duration_us,
            request_bytes: outcome.request_bytes,
            response_bytes: outcome.response_bytes,
            attempts: outcome.attempts,
        }
    }
}

/// `discovery.instance`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) weight: u32,
    pub(super) metadata: Vec<(String, String)>,
}

impl From<&crate::discovery::Instance> for Instance {
    fn from(instance: &crate::discovery::Instance) -> Self {
        let labels = instance.metadata.iter();
        Self {
            id: instance.id.to_string(),
            address: instance.address.to_string(),
            weight: instance.weight.get(),
            metadata: labels
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

/// `exchange.refusal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Refusal {
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "too-large")]
    TooLarge,
    #[component(name = "unknown-service")]
    UnknownService,
    #[component(name = "wrong-phase")]
    WrongPhase,
}

/// `counters.decision`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Decision {
    allowed: bool,
    remaining: u64,
    #[component(name = "reset-ms")]
    reset_ms: u64,
    #[component(name = "retry-after-ms")]
    retry_after_ms: u64,
}

impl From<state::Decision> for Decision {
    fn from(decision: state::Decision) -> Self {
        // Rounded up: who comes back after that time is not refused again.
        let milliseconds = |time: std::time::Duration| {
            u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
        };
        Self {
            allowed: decision.allowed,
            remaining: decision.remaining,
            reset_ms: milliseconds(decision.reset),
            retry_after_ms: milliseconds(decision.retry_after),
        }
    }
}

/// `counters.bucket`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(record)]
pub(super) struct Bucket {
    pub(super) capacity: u64,
    pub(super) refill: u64,
    #[component(name = "per-ms")]
    pub(super) per_ms: u64,
}

/// `counters.window`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(record)]
pub(super) struct Window {
    pub(super) limit: u64,
    #[component(name = "window-ms")]
    pub(super) window_ms: u64,
}

/// `hooks.hook`.
#[expect(dead_code, reason = "made by plugins only")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Hook {
    #[component(name = "request")]
    Request,
    #[component(name = "response")]
    Response,
    #[component(name = "completion")]
    Completion,
    #[component(name = "request-body")]
    RequestBody,
    #[component(name = "response-body")]
    ResponseBody,
    #[component(name = "request-buffered")]
    RequestBuffered,
    #[component(name = "response-buffered")]
    ResponseBuffered,
}

/// `log.level`.
#[expect(dead_code, reason = "made by plugins only")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// Declares an image of a WIT enumeration that is the gateway's own as well.
macro_rules! image {
    ($(#[$doc:meta])* $image:ident of $own:path { $($case:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
        #[component(enum)]
        #[repr(u8)]
        pub(super) enum $image { $(#[component(name = $name)] $case),+ }

        impl From<$image> for $own {
            fn from(image: $image) -> Self {
                match image { $($image::$case => Self::$case),+ }
            }
        }

        impl From<$own> for $image {
            fn from(own: $own) -> Self {
                match own { $(<$own>::$case => Self::$case),+ }
            }
        }
    };
}

/// `http.request`, where it lies.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Request {
    pub(super) method: WasmStr,
    pub(super) url: WasmStr,
    pub(super) service: Option<WasmStr>,
    pub(super) headers: WasmList<(WasmStr, WasmList<u8>)>,
    #[component(name = "timeout-ms")]
    pub(super) timeout_ms: u32,
    pub(super) most: u64,
    pub(super) redirects: u32,
}

/// `http.head`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

impl From<&outbound::Head> for Head {
    fn from(head: &outbound::Head) -> Self {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_vec())
        };
        Self {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(field).collect(),
        }
    }
}

/// `http.part`.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Part {
    #[component(name = "bytes")]
    Bytes(WasmList<u8>),
    #[component(name = "rest-of")]
    RestOf(Resource<Held>),
}

image! {
    /// `http.error`.
    HttpError of outbound::Error {
        Denied = "denied", Invalid = "invalid", Unavailable = "unavailable",
        Resolve = "resolve", Connect = "connect", Timeout = "timeout",
        Broken = "broken", TooLarge = "too-large", Busy = "busy",
    }
}

image! {
    /// `crypto.algorithm`.
    Algorithm of crypto::Algorithm {
        Hs256 = "hs256", Hs384 = "hs384", Hs512 = "hs512",
        Rs256 = "rs256", Rs384 = "rs384", Rs512 = "rs512",
        Ps256 = "ps256", Ps384 = "ps384", Ps512 = "ps512",
        Es256 = "es256", Es384 = "es384", Eddsa = "eddsa",
    }
}

image! {
    /// `body.side`.
    Side of exchange::Side { Request = "request", Response = "response" }
}

image! {
    /// `crypto.digest-algorithm`.
    DigestAlgorithm of crypto::DigestAlgorithm {
        Sha256 = "sha256", Sha384 = "sha384", Sha512 = "sha512",
    }
}
