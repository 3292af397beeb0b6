//! What plugins can be lent: interfaces by name, and what a step grants.

use super::ConfigureError;

/// Something that a step can grant or withhold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Numbers shared by all workers.
    Counters,
    /// Bytes shared by all workers.
    Store,
    /// Services and their instances.
    Discovery,
    /// Signatures and digests.
    Crypto,
    /// The gateway's log.
    Log,
    /// Metrics of the plugin's own.
    Metrics,
    /// WASI clocks.
    Clock,
    /// WASI random numbers.
    Random,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Counters,
        Self::Store,
        Self::Discovery,
        Self::Crypto,
        Self::Log,
        Self::Metrics,
        Self::Clock,
        Self::Random,
    ];

    /// The name in a step's `grants`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counters => "counters",
            Self::Store => "store",
            Self::Discovery => "discovery",
            Self::Crypto => "crypto",
            Self::Log => "log",
            Self::Metrics => "metrics",
            Self::Clock => "clock",
            Self::Random => "random",
        }
    }

    /// The capability of a name in `grants`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
    }
}

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
            // `verdicts` holds types only. Balancing is about what the gateway
            // itself hands to a balancer.
            "exchange" | "hooks" | "balancing" | "verdicts" => Self::Always,
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

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Grants(u16);

impl Grants {
    /// All of them: none reaches outside the gateway.
    pub(super) const ALL: Self = Self((1 << Capability::ALL.len()) - 1);

    /// The capabilities of a step's `grants`; all if it has none.
    pub(super) fn new(names: Option<&[String]>) -> Result<Self, ConfigureError> {
        let Some(names) = names else {
            return Ok(Self::ALL);
        };
        names.iter().try_fold(Self(0), |set, name| {
            let capability =
                Capability::from_name(name).ok_or_else(|| ConfigureError::UnknownGrant {
                    name: name.clone(),
                    known: Capability::ALL.map(Capability::name).to_vec(),
                })?;
            Ok(Self(set.0 | 1 << capability as u16))
        })
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
    fn without_grants_all_is_granted_and_an_unknown_one_is_named() {
        let all = Grants::new(None).unwrap();
        assert!(Capability::ALL.into_iter().all(|c| all.has(c)));
        let some = Grants::new(Some(&["store".into(), "log".into()])).unwrap();
        assert!(some.has(Capability::Store) && some.has(Capability::Log));
        assert!(!some.has(Capability::Counters));
        let error = Grants::new(Some(&["stores".into()]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`stores`") && error.contains("counters, store"),
            "{error}"
        );
    }
}
