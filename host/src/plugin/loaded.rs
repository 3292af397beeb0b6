//! One plugin: what its file is, and what it says of itself.

use std::sync::Arc;

use crate::config::{Allow, PluginLimits};

use super::{
    Capability, DescribedBy, Description, Hooks, HostServices, LoadError, Names, PluginErrorKind,
    Reads,
    allowance::Allowance,
    capability::Grants,
    compiled::Compiled,
    data::Identity,
    instance::{Host, Instance},
    link::{self, Linked},
    runtime::Threads,
};

/// One plugin: a component that was compiled and accepted.
pub struct Plugin {
    size: u64,
    compiled: Arc<Compiled>,
    identity: Arc<Identity>,
    description: Description,
    described_by: DescribedBy,
    threads: Threads,
}

impl Plugin {
    /// Takes the description that the file carries. Without one a first instance
    /// is made, which finds wrong signatures early, to describe the plugin.
    pub(super) fn new(
        name: &str,
        hash: String,
        size: u64,
        compiled: Arc<Compiled>,
        threads: Threads,
        described: Option<Description>,
        limits: &PluginLimits,
    ) -> Result<Self, LoadError> {
        let mut plugin = Self {
            size,
            compiled,
            identity: Arc::new(Identity::new(name, hash)),
            description: Description::default(),
            described_by: DescribedBy::Nobody,
            threads,
        };
        let linked = plugin
            .compiled
            .linked(Grants::ALL)
            .map_err(|error| LoadError::UnknownImports(vec![format!("{error:#}")]))?;
        if let Some(described) = described {
            plugin.description = described;
            plugin.described_by = DescribedBy::Section;
            return Ok(plugin);
        }
        let services = Arc::new(HostServices::detached());
        let metrics = &services.metrics;
        let host = Host {
            names: Arc::new(Names::default()),
            allowance: Allowance::new(name, name, limits.clone(), &Allow::all(), metrics),
            services,
            tempo: Arc::default(),
        };
        if let Some(described) = plugin.describe(&linked, &host)? {
            plugin.description = described;
            plugin.described_by = DescribedBy::Export;
        }
        Ok(plugin)
    }

    fn describe(&self, linked: &Linked, host: &Host) -> Result<Option<Description>, LoadError> {
        let mut instance = Instance::new(self, linked, host)?;
        let said = instance.describe().map_err(LoadError::Describe)?;
        let optional = instance.optional().map_err(LoadError::Describe)?;
        if said.is_none() && optional.is_empty() {
            return Ok(None);
        }
        let (summary, version, schema) = match said {
            Some(said) => (said.summary, said.version, said.config_schema),
            None => Default::default(),
        };
        Description::checked(summary, version, schema, optional)
            .map(Some)
            .map_err(|message| {
                let error = self.identity.error(PluginErrorKind::Nonsense, message);
                LoadError::Describe(error)
            })
    }

    /// Whether it can do without a capability that it imports.
    pub fn does_without(&self, capability: Capability) -> bool {
        // The others are linked or not there at all.
        let denies = matches!(capability, Capability::Http | Capability::Store);
        let optional = &self.description.optional;
        denies && optional.iter().any(|name| name == capability.name())
    }

    /// `NAME` of `NAME.wasm`.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.identity.hash
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What it exports.
    pub fn hooks(&self) -> Hooks {
        self.compiled.exports.hooks()
    }

    /// Which heads it can look at.
    pub fn reads(&self) -> Reads {
        self.compiled.reads
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Who says it.
    pub fn described_by(&self) -> DescribedBy {
        self.described_by
    }

    /// The interfaces it imports, with their versions.
    pub fn imports(&self) -> &[String] {
        &self.compiled.imports
    }

    /// What it has to be granted.
    pub fn capabilities(&self) -> Vec<Capability> {
        let needs = |capability: &Capability| {
            let mut called = self.compiled.called.iter();
            called.any(|name| link::needed(name) == Some(*capability))
        };
        Capability::ALL.into_iter().filter(needs).collect()
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(super) fn threads(&self) -> &Threads {
        &self.threads
    }
}
