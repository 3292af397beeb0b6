//! TOML to the tree.
//!
//! Dates and times become text: no key of the configuration takes one, but a
//! plugin's may.

use std::ops::Range;

use serde_json::Number;
use toml_edit::{Document, Item, Key, TableLike, Value as Toml};

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
    let source = Source(LineIndex::new(text));
    let document = Document::parse(text).map_err(|error| {
        let at = source.position(error.span()).unwrap_or(Position::START);
        let message = error.message().lines().next().unwrap_or_default();
        Diagnostic::new(at, "", format!("not TOML: {message}"))
            .hint("text is in quotes, tables are `[name]`, lists of tables `[[name]]`")
    })?;
    source.table(document.as_table(), Position::START, 1)
}

struct Source<'t>(LineIndex<'t>);

impl Source<'_> {
    fn position(&self, span: Option<Range<usize>>) -> Option<Position> {
        Some(self.0.position(span?.start))
    }

    /// An item; `near` is where its key stands, for tables that are only implied.
    fn item(&self, item: &Item, near: Position, depth: usize) -> Result<Node, Diagnostic> {
        let at = self.position(item.span()).unwrap_or(near);
        match item {
            Item::None => Ok(Node::new(Value::Null, at)),
            Item::Value(value) => self.value(value, at, depth),
            Item::Table(table) => self.table(table, at, depth),
            Item::ArrayOfTables(tables) => {
                let nodes = tables.iter().map(|table| {
                    let at = self.position(table.span()).unwrap_or(at);
                    self.table(table, at, depth + 1)
                });
                Ok(Node::new(Value::List(nodes.collect::<Result<_, _>>()?), at))
            }
        }
    }

    fn table(&self, table: &dyn TableLike, at: Position, depth: usize) -> Result<Node, Diagnostic> {
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        let entries = table.iter().map(|(name, item)| {
            let key_at = self
                .position(table.key(name).and_then(Key::span))
                .unwrap_or(at);
            Ok(Entry {
                key: name.to_owned(),
                at: key_at,
                node: self.item(item, key_at, depth + 1)?,
            })
        });
        Ok(Node::new(
            Value::Map(entries.collect::<Result<_, _>>()?),
            at,
        ))
    }

    fn value(&self, value: &Toml, at: Position, depth: usize) -> Result<Node, Diagnostic> {
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        let value = match value {
            Toml::String(text) => Value::Text(text.value().clone()),
            Toml::Integer(number) => Value::Number((*number.value()).into()),
            Toml::Float(number) => match Number::from_f64(*number.value()) {
                Some(number) => Value::Number(number),
                None => return Err(Diagnostic::new(at, "", "not a finite number")),
            },
            Toml::Boolean(boolean) => Value::Boolean(*boolean.value()),
            Toml::Datetime(time) => Value::Text(time.value().to_string()),
            Toml::Array(items) => {
                let nodes = items.iter().map(|item| {
                    let at = self.position(item.span()).unwrap_or(at);
                    self.value(item, at, depth + 1)
                });
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            Toml::InlineTable(table) => return self.table(table, at, depth),
        };
        Ok(Node::new(value, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_positions() {
        let text =
            "a = 1\nday = 2020-01-02\n[b.c]\nd = [1.5, { e = \"x\" }]\n[[f]]\ng = true\n[[f]]\n";
        let config = read(text).unwrap().to_plugin_config();
        assert_eq!(
            config.json.to_string(),
            r#"{"a":1,"day":"2020-01-02","b":{"c":{"d":[1.5,{"e":"x"}]}},"f":[{"g":true},{}]}"#
        );
        let cases = [
            ("/a", 1, 5),
            ("/b/c", 3, 1),
            ("/b/c/d/1/e", 4, 17),
            ("/f/0/g", 6, 5),
            ("/f/1", 7, 1),
        ];
        for (pointer, line, column) in cases {
            assert_eq!(
                config.positions[pointer],
                Position::new(line, column),
                "{pointer}"
            );
        }
    }

    #[test]
    fn mistakes_have_their_positions() {
        let cases = [
            ("a = 1\nb = \n", 2),
            ("a = 1\na = 2\n", 2),
            ("a = inf\n", 1),
            ("\n[x\n", 2),
        ];
        for (text, line) in cases {
            assert_eq!(read(text).unwrap_err().at.line, line, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_however_it_is_written() {
        let dotted = vec!["a"; 70].join(".");
        let nested = format!("{dotted} = {{ ").repeat(70);
        let cases = [
            format!("a = {}{}", "[".repeat(50_000), "]".repeat(50_000)),
            format!("a = {}1{}", "[".repeat(70), "]".repeat(70)),
            format!("{dotted} = 1"),
            format!("[{dotted}]\n{dotted} = 1"),
            format!("{nested}{}", "}".repeat(70)),
        ];
        for text in cases {
            assert!(read(&text).is_err(), "{text:.100}");
        }
    }
}
