//! Turns the steps of a configuration into configured plugins, and says of
//! each mistake where it stands.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::{Allow, Config, Diagnostic, Diagnostics, Isolation, PluginLimits, Position, Step},
    pipeline::SlotIndex,
    plugin::{self, ConfigureError, Configured, ConfiguredOptions, HostServices, Names, Plugin},
};

use super::{Library, seat::Ready};

/// What a step's plugin is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Filter,
    Balancer,
}

/// Configures plugins and collects what is wrong with them.
pub(super) struct Filters<'a> {
    pub(super) config: &'a Config,
    pub(super) library: &'a Library,
    pub(super) names: Arc<Names>,
    pub(super) services: Arc<HostServices>,
    pub(super) mistakes: Diagnostics,
    /// Steps of equal plugin, configuration, grants and limits share one slot.
    slots: HashMap<Key, Option<SlotIndex>>,
    /// The filters in use, by slot, each with one instance made already.
    pub(super) ready: Vec<Ready>,
}

/// What makes two steps interchangeable.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    plugin: String,
    config: String,
    isolation: Isolation,
    allow: Allow,
    limits: PluginLimits,
    namespace: String,
}

impl<'a> Filters<'a> {
    pub(super) fn new(
        config: &'a Config,
        library: &'a Library,
        names: Arc<Names>,
        services: Arc<HostServices>,
        mistakes: Diagnostics,
    ) -> Self {
        Self {
            config,
            library,
            names,
            services,
            mistakes,
            slots: HashMap::new(),
            ready: Vec::new(),
        }
    }

    /// The slot of a filter; none if there is something wrong with it.
    pub(super) fn filter(&mut self, step: &Step) -> Option<SlotIndex> {
        let same = Key {
            plugin: step.plugin.clone(),
            config: step.config.json.to_string(),
            isolation: step.isolation,
            allow: step.allow.clone(),
            limits: step.limits.clone(),
            namespace: step.namespace.clone(),
        };
        if let Some(Some(known)) = self.slots.get(&same) {
            return Some(*known);
        }
        let slot = self.ready(step, Role::Filter).map(|ready| {
            self.ready.push(ready);
            SlotIndex(self.ready.len() - 1)
        });
        self.slots.insert(same, slot);
        slot
    }

    /// A configured plugin with its first instance. A balancer knows the
    /// instances of one service, so it never shares a slot.
    pub(super) fn ready(&mut self, step: &Step, role: Role) -> Option<Ready> {
        let plugin = self.plugin(step, role)?;
        // A plugin is not asked about what is known to be wrong.
        if !self.check_schema(step, &plugin) || !step.config.broken.is_empty() {
            return None;
        }
        let options = ConfiguredOptions {
            config: step.config.json.to_string(),
            limits: step.limits.clone(),
            allow: step.allow.clone(),
            namespace: step.namespace.clone(),
            names: Arc::clone(&self.names),
            services: Arc::clone(&self.services),
        };
        let configured = match Configured::new(plugin, options) {
            Ok(configured) => Ok(configured),
            Err(error @ ConfigureError::Ungranted { .. }) => {
                self.ungranted(step, &error);
                return None;
            }
            Err(error) => Err(error.to_string()),
        };
        let made = configured.and_then(|configured| {
            Ready::new(&Arc::new(configured)).map_err(|error| error.to_string())
        });
        match made {
            Ok(ready) => Some(ready),
            Err(message) => {
                let at = step.config.position("").unwrap_or(step.at);
                let hint = Some(self.inspect(step));
                self.mistake(at, format!("{}.config", step.key), message, hint);
                None
            }
        }
    }

    /// A plugin that wants more than its step grants: granting it is a choice
    /// that is shown, not made.
    fn ungranted(&mut self, step: &Step, error: &ConfigureError) {
        let ConfigureError::Ungranted { capabilities, .. } = error else {
            return;
        };
        let granted: Vec<String> = (capabilities.iter())
            .map(|capability| format!("{capability}: true"))
            .collect();
        let hint = format!(
            "if `{}` may have it: `allow: {{ {} }}`",
            step.plugin,
            granted.join(", ")
        );
        let key = format!("{}.allow", step.key);
        self.mistake(step.at, key, error.to_string(), Some(hint));
    }

    /// Limits and grants for plugins that are not there are a slip in a name.
    pub(super) fn check_named(&mut self) {
        for (name, named) in &self.config.plugins.named {
            if let Some(message) = self.library.absent(name) {
                let key = format!("plugins.named.{name}");
                let mut mistake = Diagnostic::new(named.at, key, message);
                mistake.hint = Some(self.library.names());
                self.mistakes.push(mistake);
            }
        }
    }

    fn plugin(&mut self, step: &Step, role: Role) -> Option<Arc<Plugin>> {
        let plugin = match self.library.plugin(&step.plugin) {
            Ok(plugin) => plugin,
            Err((message, hint)) => {
                let hint = hint.or_else(|| Some(self.inspect(step)));
                self.mistake(step.at, format!("{}.plugin", step.key), message, hint);
                return None;
            }
        };
        let hooks = plugin.hooks();
        let (fits, message) = match role {
            Role::Filter => (
                hooks.request || hooks.response || hooks.completion,
                "is no filter: it exports no request, response or completion hook",
            ),
            Role::Balancer => (
                hooks.balancer,
                "is no balancer: it does not export the balancer interface",
            ),
        };
        if !fits {
            let hint = self.library.with_role(role);
            self.mistake(
                step.at,
                format!("{}.plugin", step.key),
                format!("the plugin `{}` {message}", step.plugin),
                Some(hint),
            );
            return None;
        }
        Some(plugin)
    }

    /// Holds the configuration against the plugin's own schema. Each mistake
    /// is shown where it stands in the file.
    fn check_schema(&mut self, step: &Step, plugin: &Plugin) -> bool {
        let Some(schema) = &plugin.description().config_schema else {
            return true;
        };
        let mut violations = plugin::schema::check(schema, &step.config.json);
        violations.retain(|violation| !step.config.broken.contains(&violation.pointer));
        for violation in &violations {
            let at = step.config.position(&violation.pointer).unwrap_or(step.at);
            let key = format!("{}.config{}", step.key, violation.pointer.replace('/', "."));
            let hint = violation.hint.clone();
            let hint = hint.or_else(|| Some(self.inspect(step)));
            self.mistake(at, key, violation.message.clone(), hint);
        }
        violations.is_empty()
    }

    /// Where a user finds what the plugin is and takes.
    fn inspect(&self, step: &Step) -> String {
        let file = format!("{}.wasm", step.plugin);
        let file = self.config.plugins.directory.join(file);
        format!("see `portcullis plugin inspect {}`", file.display())
    }

    fn mistake(&mut self, at: Position, key: String, message: String, hint: Option<String>) {
        let mut mistake = Diagnostic::new(at, key, message);
        mistake.hint = hint;
        self.mistakes.push(mistake);
    }
}
