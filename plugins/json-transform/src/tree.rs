//! The paths of one pass, put together by what they have in common.
//!
//! Owns which changes apply where. A document is walked along it, so that what
//! no path leads to is not looked into. Called by `pass`.

use std::collections::BTreeMap;

use crate::path::Step;

/// What is done with what a path leads to. A pass does one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It goes.
    Remove,
    /// It gets this name, which is also there as JSON text.
    Rename {
        /// The name.
        name: String,
        /// The same, quoted.
        quoted: String,
    },
    /// It gets this value, JSON text.
    Set(String),
    /// It gets this value, JSON text, if it is not there.
    Add(String),
}

/// What paths go on from one place of a document.
#[derive(Debug, Default)]
pub struct Tree {
    pub(crate) change: Option<Change>,
    pub(crate) members: BTreeMap<String, Tree>,
    pub(crate) each_member: Option<Box<Tree>>,
    pub(crate) each_element: Option<Box<Tree>>,
}

impl Tree {
    /// Puts a path in.
    ///
    /// # Errors
    /// If there is another change at the same place, or if it sets a part of
    /// what is set as a whole.
    pub fn insert(&mut self, steps: &[Step], change: Change) -> Result<(), String> {
        let Some((step, rest)) = steps.split_first() else {
            if self.change.is_some() {
                return Err("is there twice".to_owned());
            }
            if is_whole(&change) && self.goes_on() {
                return Err("has a part that is given on its own, too".to_owned());
            }
            self.change = Some(change);
            return Ok(());
        };
        if self.change.as_ref().is_some_and(is_whole) {
            return Err("is a part of what is given as a whole, too".to_owned());
        }
        if let (Change::Rename { name, .. }, [Step::Member(_)]) = (&change, steps)
            && self.renames_to(name)
        {
            return Err(format!("gets the name `{name}`, as another field does"));
        }
        let next = match step {
            Step::Member(name) => self.members.entry(name.clone()).or_default(),
            Step::EachMember => self.each_member.get_or_insert_default(),
            Step::EachElement => self.each_element.get_or_insert_default(),
        };
        next.insert(rest, change)
    }

    fn renames_to(&self, new: &str) -> bool {
        let mut changes = self
            .members
            .values()
            .filter_map(|tree| tree.change.as_ref());
        changes.any(|change| matches!(change, Change::Rename { name, .. } if name == new))
    }

    /// Whether any path leads on into members or elements.
    pub(crate) fn goes_on(&self) -> bool {
        !self.members.is_empty() || self.each_member.is_some() || self.each_element.is_some()
    }

    /// The value that is made where there is none: what is set or added there,
    /// or an object of what is set or added by name within it.
    pub(crate) fn fresh(&self) -> Option<String> {
        match &self.change {
            Some(Change::Set(value) | Change::Add(value)) => return Some(value.clone()),
            Some(_) => return None,
            None => {}
        }
        let members: Vec<String> = self
            .members
            .iter()
            .filter_map(|(name, tree)| Some(format!("{}:{}", quoted(name), tree.fresh()?)))
            .collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

fn is_whole(change: &Change) -> bool {
    matches!(change, Change::Set(_) | Change::Add(_))
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
