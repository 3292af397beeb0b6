//! The tree that every format is read into: values with positions.
//!
//! Owns what the three formats have in common, and its bounds. Text is kept as
//! written until `interpolate` replaces `${NAME}` in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Number;

use super::{
    Diagnostic, Diagnostics, PluginConfig, Position,
    diagnostic::{quoted, shown},
};

/// The deepest that lists and maps may be nested. Everything that walks the
/// tree may recurse, since this is checked while it is built.
pub(super) const DEEPEST: usize = 64;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Position,
    /// Whether some of the text came from the environment.
    pub(super) interpolated: bool,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Text that refers to something missing. That is noted already, so
    /// nobody complains about the value once more.
    Broken,
}

/// One key of a map and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn new(value: Value, at: Position) -> Self {
        Self {
            value,
            at,
            interpolated: false,
        }
    }

    /// What it is, for a message: `a map`, `text`.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Broken => "text",
        }
    }

    /// The value as it is handed to a plugin.
    pub(super) fn to_plugin_config(&self) -> PluginConfig {
        let mut config = PluginConfig {
            json: serde_json::Value::Null,
            positions: BTreeMap::new(),
            interpolated: BTreeSet::new(),
            broken: BTreeSet::new(),
        };
        config.json = self.to_json("", &mut config);
        config
    }

    /// The value as JSON; what is to be known of its parts goes to `config`.
    fn to_json(&self, pointer: &str, config: &mut PluginConfig) -> serde_json::Value {
        config.positions.insert(pointer.to_owned(), self.at);
        if self.interpolated {
            config.interpolated.insert(pointer.to_owned());
        }
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Broken => {
                config.broken.insert(pointer.to_owned());
                "".into()
            }
            Value::Boolean(boolean) => (*boolean).into(),
            Value::Number(number) => number.clone().into(),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => (items.iter().enumerate())
                .map(|(number, item)| item.to_json(&format!("{pointer}/{number}"), config))
                .collect(),
            Value::Map(entries) => (entries.iter())
                .map(|Entry { key, node, .. }| {
                    let pointer = format!("{pointer}/{}", pointer_token(key));
                    let json = node.to_json(&pointer, config);
                    (key.clone(), json)
                })
                .collect(),
        }
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(super) fn pointer_token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The path of a map's value, for messages: `routes[0].match`.
pub(super) fn child(path: &str, key: &str) -> String {
    if path.is_empty() {
        shown(key)
    } else {
        format!("{path}.{}", shown(key))
    }
}

/// The path of a list's item, for messages: `routes[0]`.
pub(super) fn item(path: &str, number: usize) -> String {
    format!("{path}[{number}]")
}

/// Notes keys that a map has twice, and keeps the first of each.
pub(super) fn drop_duplicates(node: &mut Node, path: &str, mistakes: &mut Diagnostics) {
    match &mut node.value {
        Value::List(items) => {
            for (number, node) in items.iter_mut().enumerate() {
                drop_duplicates(node, &item(path, number), mistakes);
            }
        }
        Value::Map(entries) => {
            keep_first(entries, path, mistakes);
            for Entry { key, node, .. } in entries {
                drop_duplicates(node, &child(path, key), mistakes);
            }
        }
        _ => {}
    }
}

fn keep_first(entries: &mut Vec<Entry>, path: &str, mistakes: &mut Diagnostics) {
    let mut seen = HashMap::with_capacity(entries.len());
    entries.retain(|entry| {
        let first = *seen.entry(entry.key.clone()).or_insert(entry.at);
        if first == entry.at {
            return true;
        }
        let message = format!("{} is there twice", quoted(&entry.key));
        let hint = format!("the first is at {first}; keep one of them");
        mistakes.push(Diagnostic::new(entry.at, child(path, &entry.key), message).hint(hint));
        false
    });
}

/// A mistake for a tree that is nested too deeply.
pub(super) fn too_deep(at: Position) -> Diagnostic {
    Diagnostic::new(at, "", "nested too deeply").hint(format!(
        "at most {DEEPEST} lists and maps inside one another"
    ))
}
