//! What a plugin may use of the gateway: capabilities by name, and the reader
//! of `allow`.
//!
//! What reaches nothing but the plugin's own state, or nothing at all, is
//! allowed unless it is withheld; what shows other plugins' work or the
//! gateway's surroundings is not unless it is granted.

use std::collections::BTreeSet;

use super::{
    Origin,
    node::Value,
    origin::origin,
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
    /// Requests of the plugin's own, to services and to hosts.
    Http,
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
    pub const ALL: [Self; 9] = [
        Self::Counters,
        Self::Store,
        Self::Discovery,
        Self::Http,
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
            Self::Http => "http",
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
        !matches!(self, Self::Store | Self::Discovery | Self::Http)
    }
}

/// Whom a plugin's own requests may reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    /// Services, by name.
    pub services: BTreeSet<String>,
    /// Origins; whatever addresses their names resolve to.
    pub origins: BTreeSet<Origin>,
}

impl Reach {
    /// As the file lists it.
    pub fn shown(&self) -> Vec<String> {
        let origins = self.origins.iter().map(Origin::to_string);
        self.services.iter().cloned().chain(origins).collect()
    }
}

/// The capabilities that a step grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Allow {
    granted: BTreeSet<Capability>,
    services: Option<BTreeSet<String>>,
    reach: Option<Reach>,
}

impl Default for Allow {
    fn default() -> Self {
        Self {
            granted: (Capability::ALL.into_iter())
                .filter(|capability| capability.by_default())
                .collect(),
            services: None,
            reach: None,
        }
    }
}

impl Allow {
    /// Everything there is.
    pub fn all() -> Self {
        Self {
            granted: Capability::ALL.into(),
            services: None,
            reach: None,
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

    /// Whom `http` reaches. None: all services, and every public host.
    pub fn reach(&self) -> Option<&Reach> {
        self.reach.as_ref()
    }

    /// Grants a capability, of discovery and `http` all there is; or withholds it.
    pub fn set(&mut self, capability: Capability, granted: bool) {
        match capability {
            Capability::Discovery => self.services = None,
            Capability::Http => self.reach = None,
            _ => {}
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

    /// Grants `http` to these alone.
    pub fn let_reach(&mut self, reach: Reach) {
        self.set(Capability::Http, true);
        self.reach = Some(reach);
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
            (Capability::Http, Value::List(_)) => allow.let_reach(reach(&item, services)?),
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

/// `[users, "https://id.example.com"]`: what has a scheme is an origin.
fn reach(item: &Item<'_>, services: &Services<'_>) -> Option<Reach> {
    let mut reach = Reach::default();
    let mut right = true;
    for item in item.list("`[users, \"https://id.example.com\"]`")? {
        let text = text(&item)?;
        // A name has no colon, and what has one is meant to be an origin.
        right &= if text.contains(':') {
            let origin = origin(&item, text);
            let right = origin.is_some();
            reach.origins.extend(origin);
            right
        } else {
            let service = services.known(&item, text);
            let right = service.is_some();
            reach.services.extend(service);
            right
        };
    }
    right.then_some(reach)
}
