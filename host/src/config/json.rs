//! JSON to the tree.
//!
//! `serde_json` keeps no positions, but it hands out unparsed parts of its
//! input (`RawValue`), whose place in the text tells where they stand. Every
//! level is therefore scanned once more than it is deep, which nesting bounds.

use std::marker::PhantomData;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Diagnostic, Position,
    node::{DEEPEST, Entry, Node, Value, too_deep},
    position::LineIndex,
};

/// Reads a document.
///
/// # Errors
///
/// The first mistake against the syntax: what follows it cannot be understood.
pub(super) fn read(text: &str) -> Result<Node, Diagnostic> {
    let source = Source {
        text,
        lines: LineIndex::new(text),
    };
    let root = serde_json::from_str(text).map_err(|error| {
        let at = Position::new(error.line().max(1), error.column().max(1));
        syntax(at, &error)
    })?;
    source.node(root, 1)
}

struct Source<'t> {
    text: &'t str,
    lines: LineIndex<'t>,
}

impl<'t> Source<'t> {
    fn node(&self, raw: &'t RawValue, depth: usize) -> Result<Node, Diagnostic> {
        let at = self.position(raw);
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        let value = match raw.get().as_bytes().first() {
            Some(b'{') => self.map(raw, depth)?,
            Some(b'[') => self.list(raw, depth)?,
            Some(b'"') => Value::Text(self.parse(raw)?),
            Some(b't' | b'f') => Value::Boolean(self.parse(raw)?),
            Some(b'n') => Value::Null,
            _ => Value::Number(self.parse(raw)?),
        };
        Ok(Node::new(value, at))
    }

    fn list(&self, raw: &'t RawValue, depth: usize) -> Result<Value, Diagnostic> {
        let items: Vec<&RawValue> = self.parse(raw)?;
        let nodes = items.into_iter().map(|item| self.node(item, depth + 1));
        Ok(Value::List(nodes.collect::<Result<_, _>>()?))
    }

    fn map(&self, raw: &'t RawValue, depth: usize) -> Result<Value, Diagnostic> {
        let Pairs(pairs) = self.parse(raw)?;
        let entries = pairs.into_iter().map(|(key, value)| {
            Ok(Entry {
                key: self.parse(key)?,
                at: self.position(key),
                node: self.node(value, depth + 1)?,
            })
        });
        Ok(Value::Map(entries.collect::<Result<_, _>>()?))
    }

    fn parse<T: Deserialize<'t>>(&self, raw: &'t RawValue) -> Result<T, Diagnostic> {
        serde_json::from_str(raw.get()).map_err(|error| syntax(self.position(raw), &error))
    }

    /// Where a part of the text stands: parts are slices of it.
    fn position(&self, raw: &RawValue) -> Position {
        let part = raw.get().as_ptr() as usize;
        self.lines.position(part - self.text.as_ptr() as usize)
    }
}

fn syntax(at: Position, error: &serde_json::Error) -> Diagnostic {
    // The error ends with a place of its own, which is that of a part here.
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    Diagnostic::new(at, "", format!("not JSON: {message}"))
        .hint("JSON has no comments and no comma after the last item")
}

/// The keys and values of an object in order, duplicates included.
struct Pairs<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Pairs<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<'t>(PhantomData<&'t ()>);

impl<'de: 't, 't> Visitor<'de> for PairsVisitor<'t> {
    type Value = Pairs<'t>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'t>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_have_their_positions() {
        let node = read("\t{\n\t\t\"a\\u0062\": [1, {\"ü\": \"\\ud83d\\ude00\"}] }").unwrap();
        let config = node.to_plugin_config();
        assert_eq!(config.json.to_string(), r#"{"ab":[1,{"ü":"😀"}]}"#);
        assert_eq!(config.positions[""], Position::new(1, 2));
        assert_eq!(config.positions["/ab"], Position::new(2, 14));
        assert_eq!(config.positions["/ab/1/ü"], Position::new(2, 24));
    }

    #[test]
    fn mistakes_have_their_positions() {
        let cases = [
            ("{\"a\": 1,}", Position::new(1, 9)),
            ("{\n \"a\": tru }", Position::new(2, 10)),
            ("{} {}", Position::new(1, 4)),
            ("{\n \"a\": 1e999 }", Position::new(2, 7)),
            ("{\n \"a\": \"\\ud800\" }", Position::new(2, 7)),
        ];
        for (text, at) in cases {
            assert_eq!(read(text).unwrap_err().at, at, "{text}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(read(&deep).unwrap_err().message, "nested too deeply");
    }
}
