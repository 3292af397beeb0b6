//! What an instance says of itself when it registers.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, time::Duration};

/// How long a registration lives if it does not say.
const DEFAULT_TTL: Duration = Duration::from_secs(30);
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_ID: usize = 128;
const MAX_LABELS: usize = 32;
const MAX_LABEL: usize = 256;

/// A registration, or its repetition, which may change all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where requests go.
    pub address: SocketAddr,
    /// Share of traffic relative to others.
    pub weight: NonZeroU32,
    /// Labels for balancers: at most 32, of at most 256 bytes each.
    pub metadata: BTreeMap<String, String>,
    /// How long it lives unless it is repeated: 1 s to 24 h. None: 30 s.
    pub ttl: Option<Duration>,
}

/// A registration that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// True for a new instance, false for a repetition.
    pub created: bool,
    /// When the next repetition is due at the latest.
    pub expires_in: Duration,
}

/// Why a registration, or its end, was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The configuration has no such service.
    #[error("there is no service {0}")]
    UnknownService(String),
    /// The service has no such instance.
    #[error("the service has no instance {0}")]
    UnknownInstance(String),
    /// Ids are 1 to 128 letters, digits, `.`, `_`, `:` and `-`.
    #[error("an id is 1 to 128 of the characters A-Z a-z 0-9 . _ : -")]
    Id,
    /// Requests cannot be sent there.
    #[error("{0} is not an address that requests can be sent to")]
    Address(SocketAddr),
    /// Out of range.
    #[error("a time to live is 1 s to 24 h")]
    Ttl,
    /// Too much of it.
    #[error("metadata has at most 32 labels of at most 256 bytes each")]
    Metadata,
    /// The id belongs to an instance of the configuration, which registrations
    /// cannot touch.
    #[error("the instance is part of the configuration")]
    FromFile,
    /// Another instance of the service has the address. A process that comes
    /// back under another id ends its old registration first, or waits until
    /// it has run out.
    #[error("the address belongs to instance {0} of the service")]
    AddressTaken(Box<str>),
    /// The service has 1,000 registered instances.
    #[error("the service has 1,000 registered instances already")]
    Full,
}

/// Checks what can be checked without knowing the service, and returns the
/// time to live.
pub(super) fn check(id: &str, registration: &Registration) -> Result<Duration, RegisterError> {
    let address = registration.address;
    if !valid_id(id) {
        return Err(RegisterError::Id);
    }
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(RegisterError::Address(address));
    }
    if !valid_metadata(&registration.metadata) {
        return Err(RegisterError::Metadata);
    }
    let ttl = registration.ttl.unwrap_or(DEFAULT_TTL);
    if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
        return Err(RegisterError::Ttl);
    }
    Ok(ttl)
}

fn valid_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(allowed)
}

fn valid_metadata(metadata: &BTreeMap<String, String>) -> bool {
    let short = |text: &String| text.len() <= MAX_LABEL;
    metadata.len() <= MAX_LABELS && metadata.iter().all(|(k, v)| short(k) && short(v))
}
