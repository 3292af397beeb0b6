//! The plugins of one generation, by name: those that loaded, and why the
//! others did not.

use std::{collections::BTreeMap, sync::Arc};

use crate::plugin::Plugin;

use super::filters::Role;

/// The plugins of one generation.
#[derive(Default, Clone)]
pub struct Library(BTreeMap<String, Result<Arc<Plugin>, String>>);

/// What is wrong with a use of a plugin, and a way out.
type Missing = (String, Option<String>);

impl Library {
    /// Adds a plugin, or the reason why its file is none.
    pub fn insert(&mut self, name: String, loaded: Result<Arc<Plugin>, String>) {
        self.0.insert(name, loaded);
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Result<Arc<Plugin>, String>)> {
        self.0.iter().map(|(name, loaded)| (name.as_str(), loaded))
    }

    /// The plugin of a name.
    pub(super) fn plugin(&self, name: &str) -> Result<Arc<Plugin>, Missing> {
        match self.0.get(name) {
            Some(Ok(plugin)) => Ok(Arc::clone(plugin)),
            Some(Err(reason)) => Err((format!("{name}.wasm cannot be used: {reason}"), None)),
            None => Err((absent(name), Some(self.names()))),
        }
    }

    /// What is wrong with a name of no plugin; none if there is a file of it.
    pub(super) fn absent(&self, name: &str) -> Option<String> {
        (!self.0.contains_key(name)).then(|| absent(name))
    }

    /// The plugins there are, for a hint.
    pub(super) fn names(&self) -> String {
        self.hint(|_| true)
    }

    /// The plugins that can play a role, for a hint.
    pub(super) fn with_role(&self, role: Role) -> String {
        self.hint(|plugin| match role {
            Role::Filter => !plugin.hooks().balancer,
            Role::Balancer => plugin.hooks().balancer,
        })
    }

    fn hint(&self, fits: impl Fn(&Plugin) -> bool) -> String {
        let names: Vec<&str> = self
            .iter()
            .filter(|(_, loaded)| loaded.as_ref().is_ok_and(|plugin| fits(plugin)))
            .map(|(name, _)| name)
            .collect();
        match names.as_slice() {
            [] => "the plugin directory has none; put NAME.wasm there".into(),
            names => format!("the plugin directory has: {}", names.join(", ")),
        }
    }
}

fn absent(name: &str) -> String {
    format!("there is no plugin `{name}`")
}
