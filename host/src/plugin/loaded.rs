//! One plugin: what its file is, and what it says of itself.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::config::PluginLimits;

use super::{
    Capability, Hooks, HostServices, LoadError, Names, PluginErrorKind, Reads,
    capability::{Grants, Import},
    compiled::Compiled,
    data::{Data, Identity},
    instance::{Host, Instance},
    ticker::Activity,
};

/// The longest text of each kind that a plugin may say of itself, in bytes.
const LONGEST_TEXT: usize = 4 << 10;
const LONGEST_SCHEMA: usize = 1 << 20;

/// What a plugin says of itself; empty if it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// One or two sentences for people.
    pub summary: String,
    /// The plugin's own version.
    pub version: String,
    /// JSON Schema of its configuration. None: every configuration is passed
    /// on unchecked.
    pub config_schema: Option<String>,
}

/// One plugin: a component that was compiled and accepted.
pub struct Plugin {
    hash: String,
    size: u64,
    compiled: Arc<Compiled>,
    identity: Arc<Identity>,
    description: Description,
    activity: Arc<Activity>,
}

impl Plugin {
    /// Makes a first instance, which finds wrong signatures, and lets it
    /// describe the plugin.
    pub(super) fn new(
        name: &str,
        hash: String,
        size: u64,
        compiled: Arc<Compiled>,
        activity: Arc<Activity>,
        limits: &PluginLimits,
    ) -> Result<Self, LoadError> {
        let mut plugin = Self {
            hash,
            size,
            compiled,
            identity: Arc::new(Identity::new(name)),
            description: Description::default(),
            activity,
        };
        let pre = plugin
            .compiled
            .linked(Grants::ALL)
            .map_err(|error| LoadError::UnknownImports(vec![format!("{error:#}")]))?;
        let host = Host {
            names: Arc::new(Names::default()),
            services: Arc::new(HostServices::detached()),
        };
        plugin.description = plugin.describe(&pre, &host, limits)?;
        Ok(plugin)
    }

    fn describe(
        &self,
        pre: &InstancePre<Data>,
        host: &Host,
        limits: &PluginLimits,
    ) -> Result<Description, LoadError> {
        let mut instance = Instance::new(self, pre, host, limits)?;
        let Some(said) = instance.describe().map_err(LoadError::Describe)? else {
            return Ok(Description::default());
        };
        let schema = said.config_schema.as_ref().map_or(0, String::len);
        let longest = said.summary.len().max(said.version.len());
        if longest > LONGEST_TEXT || schema > LONGEST_SCHEMA {
            let message = "what it says of itself is too long";
            let error = self.identity.error(PluginErrorKind::Nonsense, message);
            return Err(LoadError::Describe(error));
        }
        Ok(Description {
            summary: said.summary,
            version: said.version,
            config_schema: said.config_schema,
        })
    }

    /// `NAME` of `NAME.wasm`.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
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

    /// The interfaces it imports, with their versions.
    pub fn imports(&self) -> &[String] {
        &self.compiled.imports
    }

    /// What it has to be granted.
    pub fn capabilities(&self) -> Vec<Capability> {
        let needs = |capability: &Capability| {
            let import = Import::Needs(*capability);
            self.imports().iter().any(|name| Import::of(name) == import)
        };
        Capability::ALL.into_iter().filter(needs).collect()
    }

    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}
