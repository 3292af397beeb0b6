//! What of a request's fields means something to the gateway, found in one pass:
//! most requests have nothing of it, and each question that is asked of a map by
//! name costs more than a look at a name that is there.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::forwarding::is_hop_by_hop;

/// What there is among a head's fields.
#[derive(Debug, Default)]
pub(in super::super) struct Noted {
    /// The first `Host`.
    pub(super) host: Option<HeaderValue>,
    /// There is more than one.
    pub(super) hosts: bool,
    /// `Transfer-Encoding`.
    pub(super) framed: bool,
    /// Names that many servers take for others.
    pub(super) look_alikes: bool,
    /// Fields that mean one connection only.
    pub(in super::super) hop_by_hop: bool,
    /// `TE`.
    pub(in super::super) te: bool,
    /// `Expect`.
    pub(in super::super) expect: bool,
}

impl Noted {
    /// Looks at each field once.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut noted = Self::default();
        for (name, value) in headers {
            noted.note(name, value);
        }
        noted
    }

    fn note(&mut self, name: &HeaderName, value: &HeaderValue) {
        match name.as_str() {
            "host" => {
                self.hosts = self.host.is_some();
                self.host.get_or_insert_with(|| value.clone());
            }
            "expect" => self.expect = true,
            "te" => (self.te, self.hop_by_hop) = (true, true),
            "transfer-encoding" => (self.framed, self.hop_by_hop) = (true, true),
            _ if is_hop_by_hop(name) => self.hop_by_hop = true,
            _ => self.look_alikes |= is_look_alike(name),
        }
    }
}

/// To a CGI-like interface `X_User` and `X.User` are what `X-User` is (RFC 3875
/// §4.1.18).
pub(super) fn is_look_alike(name: &HeaderName) -> bool {
    let bytes = name.as_str().bytes();
    bytes.fold(false, |found, byte| found | matches!(byte, b'_' | b'.'))
}
