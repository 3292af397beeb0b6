//! What the gateway has refused clients at its edge, by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use super::exposition::{Exposition, Number, Type};

/// Why something of a client was refused before any filter saw it, or broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A message whose beginning or end could be read in two ways.
    Framing,
    /// A host that is none, or two.
    Host,
    /// A path or target that has no one form.
    Path,
    /// A method that a gateway does not serve.
    Method,
    /// A head of too many bytes or fields.
    Head,
    /// A body of too many bytes.
    Body,
    /// A connection, since the listener has as many as it may.
    Connections,
    /// A connection, since the client has as many as it may.
    ClientConnections,
    /// A connection of a client that has flooded a moment ago.
    Penalty,
    /// A request, since the worker has as many as it may.
    Requests,
    /// A connection that does not say whom it stands for, or may not.
    ProxyProtocol,
    /// A head that took too long.
    HeadTimeout,
    /// A body of which nothing came for too long, or not all in time.
    BodyTimeout,
    /// A body that took too long in all.
    BodyTotalTimeout,
    /// An answer of which the client took nothing for too long.
    WriteTimeout,
    /// Frames of HTTP/2 that only make work.
    ControlFrames,
    /// Bodies in frames of HTTP/2 that carry next to nothing.
    SmallFrames,
    /// Requests of HTTP/2 that were taken back, or had to be.
    Resets,
}

impl Refused {
    /// True if whoever does this is not let in again at once.
    pub fn is_flood(self) -> bool {
        matches!(self, Self::ControlFrames | Self::SmallFrames | Self::Resets)
    }

    const ALL: [Self; 18] = [
        Self::Framing,
        Self::Host,
        Self::Path,
        Self::Method,
        Self::Head,
        Self::Body,
        Self::Connections,
        Self::ClientConnections,
        Self::Penalty,
        Self::Requests,
        Self::ProxyProtocol,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::BodyTotalTimeout,
        Self::WriteTimeout,
        Self::ControlFrames,
        Self::SmallFrames,
        Self::Resets,
    ];

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Framing => "framing",
            Self::Host => "host",
            Self::Path => "path",
            Self::Method => "method",
            Self::Head => "head",
            Self::Body => "body",
            Self::Connections => "connections",
            Self::ClientConnections => "connections_per_client",
            Self::Penalty => "flood_penalty",
            Self::Requests => "requests",
            Self::ProxyProtocol => "proxy_protocol",
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTotalTimeout => "body_total_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::ControlFrames => "control_frames",
            Self::SmallFrames => "small_frames",
            Self::Resets => "resets",
        }
    }
}

/// How often each was refused.
#[derive(Debug, Default)]
pub(super) struct Refusals([AtomicU64; Refused::ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, what: Refused) {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every reason has its line from the start, so that the first increase shows.
    pub(super) fn render(&self, out: &mut Exposition) {
        let name = "portcullis_refused_total";
        let help = "What was refused at the edge, before any filter, by reason.";
        out.family(name, Type::Counter, help);
        for reason in Refused::ALL {
            let count = self.0[reason as usize].load(Ordering::Relaxed);
            out.sample(name, &[("reason", reason.as_str())], Number::Count(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_of_its_own() {
        for (place, reason) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{}", reason.as_str());
        }
    }
}
