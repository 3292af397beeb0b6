//! What a plugin may use of the gateway: capabilities by name, and the reader
//! of `allow`.
//!
//! What reaches nothing but the plugin's own state, or nothing at all, is
//! allowed unless it is withheld; what shows other plugins' work or the
//! gateway's surroundings is not unless it is granted.

use std::collections::BTreeSet;

use super::{
    node::Value,
    reader::Item,
    route::Services,
    scalar::{boolean, text},
};

/// Something that a step can grant or withhold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Numbers shared by all workers, in the plugin's namespace.
    Counters,
    /// Bytes shared by all workers, in the plugin's namespace, kept at the
    /// gateway's cost.
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

    /// The key in `allow`.
    pub const fn name(self) -> &'static str {
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

    /// The capability of a key in `allow`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
    }

    /// Whether a step that says nothing of it grants it.
    pub fn by_default(self) -> bool {
        !matches!(self, Self::Store | Self::Discovery)
    }
}

/// The capabilities that a step grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Allow {
    granted: BTreeSet<Capability>,
    services: Option<BTreeSet<String>>,
}

impl Default for Allow {
    fn default() -> Self {
        Self {
            granted: (Capability::ALL.into_iter())
                .filter(|capability| capability.by_default())
                .collect(),
            services: None,
        }
    }
}

impl Allow {
    /// Everything there is.
    pub fn all() -> Self {
        Self {
            granted: Capability::ALL.into(),
            services: None,
        }
    }

    /// Whether a capability is granted.
    pub fn has(&self, capability: Capability) -> bool {
        self.granted.contains(&capability)
    }

    /// The services that `discovery` shows. None: all.
    pub fn services(&self) -> Option<&BTreeSet<String>> {
        self.services.as_ref()
    }

    /// Grants a capability, of discovery all services; or withholds it.
    pub fn set(&mut self, capability: Capability, granted: bool) {
        if capability == Capability::Discovery {
            self.services = None;
        }
        match granted {
            true => self.granted.insert(capability),
            false => self.granted.remove(&capability),
        };
    }

    /// Grants discovery of these services alone.
    pub fn show(&mut self, services: BTreeSet<String>) {
        self.set(Capability::Discovery, true);
        self.services = Some(services);
    }
}

const KEYS: [&str; Capability::ALL.len()] = {
    let mut keys = [""; Capability::ALL.len()];
    let mut index = 0;
    while index < keys.len() {
        keys[index] = Capability::ALL[index].name();
        index += 1;
    }
    keys
};

/// `{ store: true, discovery: [users], counters: false }`: what it says
/// nothing of stays as in `usual`. None if anything in it is wrong.
pub(super) fn allow(item: &Item<'_>, usual: &Allow, services: &Services<'_>) -> Option<Allow> {
    let fields = item.fields(&KEYS)?;
    let mut allow = usual.clone();
    for capability in Capability::ALL {
        let Some(item) = fields.get(capability.name()) else {
            continue;
        };
        match (capability, &item.node.value) {
            (Capability::Discovery, Value::List(_)) => allow.show(shown(&item, services)?),
            _ => allow.set(capability, boolean(&item)?),
        }
    }
    Some(allow)
}

fn shown(item: &Item<'_>, services: &Services<'_>) -> Option<BTreeSet<String>> {
    let items = item.list("`[users, orders]`")?;
    let read: Vec<_> = (items.iter())
        .map(|item| services.known(item, text(item)?))
        .collect();
    read.into_iter().collect()
}
