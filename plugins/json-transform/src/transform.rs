//! All changes of one side, ready to run on a JSON text.
//!
//! Owns the order of the passes, and what counts as JSON: one value in UTF-8,
//! with nothing but white space around it (RFC 8259). Called by the glue, and
//! by `lines`.

use std::fmt;

use crate::config::ChangesConfig;
use crate::pass;
use crate::path::{self, Step};
use crate::tree::{Change, Tree, quoted};

/// The changes of one side.
#[derive(Debug, Default)]
pub struct Transform {
    /// In the order in which they happen; those that would do nothing left out.
    passes: Vec<Tree>,
}

/// A text that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON: {}", self.0)
    }
}

impl std::error::Error for Invalid {}

impl Transform {
    /// Reads the changes.
    ///
    /// # Errors
    /// Names the path that is wrong, and says what is wrong with it.
    pub fn new(config: &ChangesConfig) -> Result<Self, String> {
        let remove = config.remove.iter().map(|path| (path, Change::Remove));
        let rename = config.rename.iter().map(|(path, name)| {
            let (name, quoted) = (name.clone(), quoted(name));
            (path, Change::Rename { name, quoted })
        });
        let set = config.set.iter();
        let set = set.map(|(path, value)| (path, Change::Set(value.get().to_owned())));
        let add = config.add.iter();
        let add = add.map(|(path, value)| (path, Change::Add(value.get().to_owned())));
        let passes = [
            pass("remove", remove)?,
            pass("rename", rename)?,
            pass("set", set)?,
            pass("add", add)?,
        ];
        let passes = passes.into_iter().filter(Tree::goes_on).collect();
        Ok(Self { passes })
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }

    /// A document with its changes. White space between the parts of objects
    /// and lists that paths lead into is lost.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn document(&self, document: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut text = parse(document)?.to_owned();
        for tree in &self.passes {
            let mut changed = String::with_capacity(text.len() + text.len() / 8);
            pass::rewrite(&text, &[tree], &mut changed).map_err(invalid)?;
            text = changed;
        }
        Ok(text.into_bytes())
    }
}

/// The one value that a text is.
fn parse(text: &[u8]) -> Result<&str, Invalid> {
    let text = std::str::from_utf8(text).map_err(|error| Invalid(error.to_string()))?;
    let value: &serde_json::value::RawValue = serde_json::from_str(text).map_err(invalid)?;
    Ok(value.get())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "so that it can stand where an error is mapped"
)]
fn invalid(error: serde_json::Error) -> Invalid {
    Invalid(error.to_string())
}

fn pass<'c>(
    what: &str,
    changes: impl Iterator<Item = (&'c String, Change)>,
) -> Result<Tree, String> {
    let mut tree = Tree::default();
    for (path, change) in changes {
        let steps = path::parse(path).map_err(|error| format!("{what}: {error}"))?;
        let named = matches!(steps.last(), Some(Step::Member(_)));
        if matches!(change, Change::Rename { .. } | Change::Add(_)) && !named {
            return Err(format!("{what}: `{path}` has to end with a name"));
        }
        tree.insert(&steps, change)
            .map_err(|error| format!("{what}: `{path}` {error}"))?;
    }
    Ok(tree)
}
