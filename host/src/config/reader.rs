//! How the tree is read: an [`Item`] knows its value, its key and where to
//! note mistakes.
//!
//! A reader takes an item and gives back a value, or none after noting why; it
//! never stops the readers beside it. A key without a value (`timeout:`) counts
//! as absent.

use std::cell::RefCell;

use super::{
    Diagnostic, Diagnostics, Position,
    diagnostic::quoted,
    node::{self, Entry, Node, Value},
    suggest,
};

/// One value of the tree on its way into a checked type.
#[derive(Clone)]
pub(super) struct Item<'a> {
    pub(super) node: &'a Node,
    /// Its key, for messages: `routes[0].match`.
    pub(super) key: String,
    mistakes: &'a RefCell<Diagnostics>,
}

impl<'a> Item<'a> {
    pub(super) fn root(node: &'a Node, mistakes: &'a RefCell<Diagnostics>) -> Self {
        Self {
            node,
            key: String::new(),
            mistakes,
        }
    }

    pub(super) fn at(&self) -> Position {
        self.node.at
    }

    /// Notes a mistake in this value; always none, so that a reader can end with it.
    pub(super) fn mistake<T>(
        &self,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.mistake_at(self.at(), message, hint)
    }

    /// The same for a mistake in the key of this value, which stands elsewhere.
    pub(super) fn mistake_at<T>(
        &self,
        at: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.note(at, &self.key, message.into(), hint.into());
        None
    }

    fn note(&self, at: Position, key: &str, message: String, hint: String) {
        let mistake = Diagnostic::new(at, key, message).hint(hint);
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Notes that this is of another type than `expected`, unless that was noted before.
    pub(super) fn wrong_type<T>(&self, expected: &str, hint: &str) -> Option<T> {
        if matches!(self.node.value, Value::Broken) {
            return None;
        }
        self.mistake(
            format!("expected {expected}, found {}", self.node.kind()),
            hint,
        )
    }

    /// The value as a message may repeat it: not what came from the environment,
    /// which may be a secret.
    pub(super) fn shown(&self, text: &str) -> String {
        if self.node.interpolated {
            "the value from the environment".to_owned()
        } else {
            quoted(text)
        }
    }

    /// The items of a list.
    pub(super) fn list(&self, example: &str) -> Option<Vec<Item<'a>>> {
        let Value::List(nodes) = &self.node.value else {
            return self.wrong_type("a list", &format!("write it as {example}"));
        };
        let items = nodes.iter().enumerate().map(|(number, node)| Item {
            node,
            key: node::item(&self.key, number),
            mistakes: self.mistakes,
        });
        Some(items.collect())
    }

    /// The values of a list, without those that cannot be read.
    pub(super) fn list_of<T>(
        &self,
        example: &str,
        reader: impl FnMut(&Item<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        Some(self.list(example)?.iter().filter_map(reader).collect())
    }

    /// The entries of a map with keys that the user chooses.
    pub(super) fn entries(&self, example: &str) -> Option<Vec<(&'a Entry, Item<'a>)>> {
        let Value::Map(entries) = &self.node.value else {
            return self.wrong_type("a map", &format!("write it as {example}"));
        };
        let items = entries.iter().map(|entry| {
            let item = Item {
                node: &entry.node,
                key: node::child(&self.key, &entry.key),
                mistakes: self.mistakes,
            };
            (entry, item)
        });
        Some(items.collect())
    }

    /// A map with known keys; every other key is a mistake.
    pub(super) fn fields(&self, known: &'static [&'static str]) -> Option<Fields<'a>> {
        let Value::Map(entries) = &self.node.value else {
            return self.wrong_type("a map", &format!("its keys are: {}", known.join(", ")));
        };
        for Entry { key, at, .. } in entries {
            if !known.contains(&key.as_str()) {
                let hint = match self.mistakes.borrow().is_full() {
                    true => String::new(),
                    false => suggest::hint(key, known.iter().copied()),
                };
                let path = node::child(&self.key, key);
                self.note(*at, &path, "unknown key".to_owned(), hint);
            }
        }
        Some(Fields {
            item: self.clone(),
            entries,
        })
    }
}

/// A map whose keys are known, read one by one.
pub(super) struct Fields<'a> {
    item: Item<'a>,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        if matches!(entry.node.value, Value::Null) {
            return None;
        }
        Some(Item {
            node: &entry.node,
            key: node::child(&self.item.key, key),
            mistakes: self.item.mistakes,
        })
    }

    /// Reads a key that may be absent.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        reader: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|item| reader(&item))
    }

    /// Reads a key that has a default.
    pub(super) fn read_or<T>(
        &self,
        key: &'static str,
        default: T,
        reader: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> T {
        self.read(key, reader).unwrap_or(default)
    }

    /// Reads a key that must be there.
    pub(super) fn require<T>(
        &self,
        key: &'static str,
        example: &str,
        reader: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        if let Some(item) = self.get(key) {
            return reader(&item);
        }
        let path = node::child(&self.item.key, key);
        let hint = format!("add {}", quoted(&format!("{key}: {example}")));
        self.item
            .note(self.item.at(), &path, "missing".to_owned(), hint);
        None
    }
}
