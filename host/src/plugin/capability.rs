//! What plugins can be lent: interfaces by name, and what a step grants.

use crate::config::{Allow, Capability};

/// What the gateway makes of one import of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Import {
    /// Linked for every plugin.
    Always,
    /// Linked if granted.
    Needs(Capability),
    /// WASI that resolves but gives nothing.
    Absent,
    /// Nothing that a gateway has.
    Unknown,
}

impl Import {
    /// What an import is, by its full name: `wasi:clocks/wall-clock@0.2.6`.
    pub(super) fn of(name: &str) -> Self {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        if let Some(own) = interface.strip_prefix("portcullis:gateway/") {
            return if version.starts_with("0.1.") {
                Self::own(own)
            } else {
                Self::Unknown
            };
        }
        match interface.strip_prefix("wasi:") {
            Some(wasi) if version.starts_with("0.2.") => Self::wasi(wasi),
            _ => Self::Unknown,
        }
    }

    fn own(interface: &str) -> Self {
        match interface {
            // The verdicts hold types only. Balancing is about what the gateway
            // itself hands to a balancer.
            "exchange" | "body" | "hooks" | "balancing" | "verdicts" | "chunk-verdicts" => {
                Self::Always
            }
            #[cfg(test)]
            "pause" => Self::Always,
            name => match Capability::from_name(name) {
                Some(Capability::Clock | Capability::Random) | None => Self::Unknown,
                Some(capability) => Self::Needs(capability),
            },
        }
    }

    fn wasi(interface: &str) -> Self {
        match interface {
            "clocks/wall-clock" | "clocks/monotonic-clock" => Self::Needs(Capability::Clock),
            "random/random" | "random/insecure" | "random/insecure-seed" => {
                Self::Needs(Capability::Random)
            }
            "cli/environment"
            | "cli/exit"
            | "cli/stdin"
            | "cli/stdout"
            | "cli/stderr"
            | "cli/terminal-input"
            | "cli/terminal-output"
            | "cli/terminal-stdin"
            | "cli/terminal-stdout"
            | "cli/terminal-stderr"
            | "io/error"
            | "io/poll"
            | "io/streams" => Self::Always,
            _ => Self::Absent,
        }
    }
}

/// A set of capabilities: what a component is linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Grants(u16);

impl Grants {
    /// All of them: what a plugin that only describes itself is linked to.
    pub(super) const ALL: Self = Self((1 << Capability::ALL.len()) - 1);

    /// What a step grants.
    pub(super) fn of(allow: &Allow) -> Self {
        let granted = Capability::ALL.into_iter().filter(|of| allow.has(*of));
        granted.fold(Self(0), |set, of| Self(set.0 | 1 << of as u16))
    }

    pub(super) fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u16 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_is_always_there_or_a_capability_or_absent_or_unknown() {
        use Capability::*;
        for (name, expected) in [
            ("portcullis:gateway/exchange@0.1.0", Import::Always),
            ("portcullis:gateway/balancing@0.1.7", Import::Always),
            ("portcullis:gateway/counters@0.1.0", Import::Needs(Counters)),
            ("portcullis:gateway/clock@0.1.0", Import::Unknown),
            ("portcullis:gateway/exchange@0.2.0", Import::Unknown),
            ("portcullis:gateway/exchange", Import::Unknown),
            ("wasi:clocks/wall-clock@0.2.0", Import::Needs(Clock)),
            ("wasi:random/insecure-seed@0.2.9", Import::Needs(Random)),
            ("wasi:cli/stdout@0.2.3", Import::Always),
            ("wasi:sockets/tcp@0.2.3", Import::Absent),
            ("wasi:filesystem/types@0.2.3", Import::Absent),
            ("wasi:http/outgoing-handler@0.2.3", Import::Absent),
            ("wasi:cli/stdout@0.3.0", Import::Unknown),
            ("acme:thing/api@0.2.0", Import::Unknown),
            ("plain", Import::Unknown),
        ] {
            assert_eq!(Import::of(name), expected, "{name}");
        }
    }

    #[test]
    fn what_a_step_allows_is_what_is_granted() {
        let usual = Grants::of(&Allow::default());
        for capability in Capability::ALL {
            let denied = !capability.by_default();
            assert_eq!(usual.has(capability), !denied, "{capability:?}");
            let mut allow = Allow::all();
            allow.set(capability, false);
            let all_but_one = Grants::of(&allow);
            let has = |of: &Capability| all_but_one.has(*of);
            assert_eq!(Capability::ALL.iter().filter(|of| has(of)).count(), 8);
            assert!(!has(&capability));
        }
        assert_eq!(Grants::of(&Allow::all()), Grants::ALL);
    }
}
