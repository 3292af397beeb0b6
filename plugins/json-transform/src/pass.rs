//! One pass of changes over one JSON text.
//!
//! Owns how a text is rewritten: what no path leads to is copied as it was
//! written, so numbers keep their digits and strings their escapes. However
//! deep a document is nested, it is only entered as deep as the paths lead.
//! Called by `transform`, with text that is known to be JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::tree::{Change, Tree, quoted};

/// Writes a value with its changes to `out`. `trees` are those that lead here.
pub(crate) fn rewrite(json: &str, trees: &[&Tree], out: &mut String) -> serde_json::Result<()> {
    let enters_object = |tree: &&Tree| !tree.members.is_empty() || tree.each_member.is_some();
    let enters_list = |tree: &&Tree| tree.each_element.is_some();
    match json.as_bytes().first() {
        Some(b'{') if trees.iter().any(enters_object) => object(json, trees, out),
        Some(b'[') if trees.iter().any(enters_list) => list(json, trees, out),
        _ => {
            out.push_str(json);
            Ok(())
        }
    }
}

fn list(json: &str, trees: &[&Tree], out: &mut String) -> serde_json::Result<()> {
    let below: Vec<&Tree> = trees
        .iter()
        .filter_map(|tree| tree.each_element.as_deref())
        .collect();
    let change = below.iter().find_map(|tree| tree.change.as_ref());
    let mut separator = Separator::new(out, "[");
    let mut failed = None;
    let mut each = |element: &str| {
        let written = match change {
            Some(Change::Remove) => return,
            Some(Change::Set(value)) => {
                separator.next(out).push_str(value);
                Ok(())
            }
            _ => rewrite(element, &below, separator.next(out)),
        };
        failed = failed.take().or(written.err());
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(Elements(&mut each))?;
    out.push(']');
    failed.map_or(Ok(()), Err)
}

fn object(json: &str, trees: &[&Tree], out: &mut String) -> serde_json::Result<()> {
    let Members(members) = serde_json::from_str(json)?;
    let names = Names::new(&members, trees);
    let mut separator = Separator::new(out, "{");
    for (at, (key, value)) in members.iter().enumerate() {
        let name = name(key.get());
        let (change, below) = lead(trees, &name);
        if !names.stays(at, &name, change) {
            continue;
        }
        let out = separator.next(out);
        match change {
            Some(Change::Rename { quoted, .. }) => out.push_str(quoted),
            _ => out.push_str(key.get()),
        }
        out.push(':');
        match change {
            Some(Change::Set(value)) => out.push_str(value),
            _ => rewrite(value.get(), &below, out)?,
        }
    }
    for (name, value) in names.missing(trees) {
        let out = separator.next(out);
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(&value);
    }
    out.push('}');
    Ok(())
}

/// What is to be done with a member, and what leads on into it.
fn lead<'t>(trees: &[&'t Tree], name: &str) -> (Option<&'t Change>, Vec<&'t Tree>) {
    let named = trees.iter().filter_map(|tree| tree.members.get(name));
    let each = trees.iter().filter_map(|tree| tree.each_member.as_deref());
    // What is said of a name comes before what is said of all.
    let below: Vec<&Tree> = named.chain(each).collect();
    let change = below.iter().find_map(|tree| tree.change.as_ref());
    (change, below)
}

/// What a key says. One that is no text in Unicode, for half of a surrogate
/// pair is missing, has no name that a path could give.
fn name(key: &str) -> Cow<'_, str> {
    let plain = key.get(1..key.len() - 1).unwrap_or_default();
    if !plain.contains('\\') {
        return Cow::Borrowed(plain);
    }
    let text = serde_json::from_str::<String>(key);
    text.map_or(Cow::Borrowed(key), Cow::Owned)
}

/// Where in an object the names are that paths give: no more of them than
/// there are paths, however often a client repeats one.
struct Names<'t> {
    /// The last member of each name.
    last: BTreeMap<&'t str, usize>,
    /// New names, and the last member that gets each.
    new: BTreeMap<&'t str, usize>,
}

impl<'t> Names<'t> {
    fn new(members: &[(&RawValue, &RawValue)], trees: &[&'t Tree]) -> Self {
        let (mut last, mut new) = (BTreeMap::new(), BTreeMap::new());
        if trees.iter().all(|tree| tree.members.is_empty()) {
            return Self { last, new };
        }
        for (at, (key, _)) in members.iter().enumerate() {
            let name = name(key.get());
            for tree in trees {
                if let Some((name, _)) = tree.members.get_key_value(&*name) {
                    last.insert(name.as_str(), at);
                }
            }
        }
        for (name, at) in &last {
            if let (Some(Change::Rename { name, .. }), _) = lead(trees, name) {
                let latest = new.entry(name.as_str()).or_insert(*at);
                *latest = (*latest).max(*at);
            }
        }
        Self { last, new }
    }

    /// Whether a member stays: not if it is removed, if there is another one
    /// of its name later on that is changed as it would be, or if another one
    /// gets its name.
    fn stays(&self, at: usize, name: &str, change: Option<&Change>) -> bool {
        let is_last = || self.last.get(name).is_none_or(|last| *last == at);
        match change {
            Some(Change::Remove) => false,
            Some(Change::Rename { name: new, .. }) => {
                is_last() && self.new.get(&**new) == Some(&at)
            }
            Some(Change::Set(_)) => is_last() && !self.new.contains_key(name),
            _ => !self.new.contains_key(name),
        }
    }

    /// What is set or added and is not there.
    fn missing<'a>(&'a self, trees: &'a [&'t Tree]) -> BTreeMap<&'t str, String> {
        let given = trees.iter().flat_map(|tree| &tree.members);
        let absent = given.filter(|(name, _)| !self.last.contains_key(name.as_str()));
        let mut missing = BTreeMap::new();
        for (name, tree) in absent {
            if let Some(value) = tree.fresh() {
                missing.entry(name.as_str()).or_insert(value);
            }
        }
        missing
    }
}

/// What stands between the parts of a list or an object.
struct Separator(bool);

impl Separator {
    fn new(out: &mut String, opening: &str) -> Self {
        out.push_str(opening);
        Self(false)
    }

    fn next<'o>(&mut self, out: &'o mut String) -> &'o mut String {
        if std::mem::replace(&mut self.0, true) {
            out.push(',');
        }
        out
    }
}

/// The members of an object as they are written.
struct Members<'m>(Vec<(&'m RawValue, &'m RawValue)>);

impl<'m> Deserialize<'m> for Members<'m> {
    fn deserialize<D: Deserializer<'m>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'m> Visitor<'m> for MembersVisitor {
    type Value = Members<'m>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'m>>(self, mut map: A) -> Result<Members<'m>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Hands on each element as it is written.
struct Elements<F>(F);

impl<'e, F: FnMut(&'e str)> Visitor<'e> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'e>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&'e RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}
