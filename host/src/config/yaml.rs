//! YAML 1.2 (core schema) to the tree.
//!
//! Works on the parser's events rather than on a loaded document: that gives
//! every key its position and lets nesting and aliases be bounded before they
//! cost anything. Refuses tags, merge keys (`<<`) and further documents.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::Number;

use super::{
    Diagnostic, Position,
    node::{DEEPEST, Entry, Node, Value, too_deep},
};

/// The most nodes that anchors may keep and aliases may bring in, in all: what
/// makes a "billion laughs" file an ordinary mistake.
const MOST_COPIED: usize = 100_000;

/// Reads a document.
///
/// # Errors
///
/// The first mistake against the syntax: what follows it cannot be understood.
pub(super) fn read(text: &str) -> Result<Node, Diagnostic> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        copied: 0,
    };
    builder.document()
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    copied: usize,
}

type Spanned<'t> = (Event<'t>, Span);

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(
                        Diagnostic::new(start(&span), "", "a second document begins")
                            .hint("a configuration is one document: remove `---`"),
                    );
                }
                Event::DocumentStart(_) => {
                    let first = self.next()?;
                    root = Some(self.node(first, 1)?);
                }
                _ => {}
            }
        }
        Ok(root.unwrap_or_else(|| Node::new(Value::Null, Position::START)))
    }

    fn next(&mut self) -> Result<Spanned<'t>, Diagnostic> {
        match self.parser.next_event() {
            Some(event) => event.map_err(|error| syntax(&error)),
            None => Err(Diagnostic::new(
                Position::START,
                "",
                "unexpected end of file",
            )),
        }
    }

    /// The node that begins with this event; it is `depth` deep in the tree.
    fn node(&mut self, (event, span): Spanned<'t>, depth: usize) -> Result<Node, Diagnostic> {
        let at = start(&span);
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        let (value, anchor, tag) = match event {
            Event::Alias(anchor) => return self.alias(anchor, depth, at),
            Event::Scalar(text, style, anchor, tag) => (scalar(&text, style, at)?, anchor, tag),
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.map(depth)?, anchor, tag),
            _ => return Err(Diagnostic::new(at, "", "expected a value")),
        };
        if tag.is_some() {
            return Err(Diagnostic::new(at, "", "tags are not supported")
                .hint("put text in quotes where it would be taken for something else"));
        }
        let node = Node::new(value, at);
        if anchor != 0 {
            self.count_copies(&node, 0, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = start(&span);
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(text, style, 0, None) => key(&text, style, at)?,
                _ => {
                    return Err(Diagnostic::new(at, "", "expected a key")
                        .hint("keys are plain words; put text that holds `{` or `*` in quotes"));
                }
            };
            let first = self.next()?;
            let node = self.node(first, depth + 1)?;
            entries.push(Entry { key, at, node });
        }
    }

    fn alias(&mut self, anchor: usize, depth: usize, at: Position) -> Result<Node, Diagnostic> {
        // An anchor that is still open is not in the table yet: a value cannot
        // hold itself.
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Diagnostic::new(
                at,
                "",
                "this alias has no finished anchor before it",
            ));
        };
        self.count_copies(&node, depth, at)?;
        Ok(node)
    }

    fn count_copies(&mut self, node: &Node, depth: usize, at: Position) -> Result<(), Diagnostic> {
        if depth > DEEPEST {
            return Err(too_deep(at));
        }
        self.copied += 1;
        if self.copied > MOST_COPIED {
            return Err(
                Diagnostic::new(at, "", "anchors and aliases expand to too much")
                    .hint(format!("at most {MOST_COPIED} values in all")),
            );
        }
        match &node.value {
            Value::List(items) => items
                .iter()
                .try_for_each(|item| self.count_copies(item, depth + 1, at)),
            Value::Map(entries) => entries
                .iter()
                .try_for_each(|entry| self.count_copies(&entry.node, depth + 1, at)),
            _ => Ok(()),
        }
    }
}

fn start(span: &Span) -> Position {
    Position::new(span.start.line(), span.start.col() + 1)
}

fn syntax(error: &ScanError) -> Diagnostic {
    let at = Position::new(error.marker().line(), error.marker().col() + 1);
    let mistake = Diagnostic::new(at, "", format!("not YAML: {}", error.info()));
    mistake.hint("look at the indentation (spaces, no tabs), the colons and the quotes before this")
}

fn key(text: &str, style: ScalarStyle, at: Position) -> Result<String, Diagnostic> {
    if text == "<<" && style == ScalarStyle::Plain {
        return Err(
            Diagnostic::new(at, "", "merge keys (`<<`) are not supported")
                .hint("an alias (`*name`) may stand for a whole value"),
        );
    }
    Ok(text.to_owned())
}

/// A scalar by the core schema (YAML 1.2, 10.3.2): quotes always mean text.
fn scalar(text: &str, style: ScalarStyle, at: Position) -> Result<Value, Diagnostic> {
    if style != ScalarStyle::Plain {
        return Ok(Value::Text(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ if infinite(text) => {
            return Err(Diagnostic::new(at, "", "not a finite number"));
        }
        _ => match whole(text).or_else(|| float(text)) {
            Some(number) => Value::Number(number),
            None => Value::Text(text.to_owned()),
        },
    })
}

fn infinite(text: &str) -> bool {
    let unsigned = text.trim_start_matches(['+', '-']);
    matches!(
        unsigned,
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    )
}

fn whole(text: &str) -> Option<Number> {
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let decimal = unsigned.strip_prefix('-').unwrap_or(unsigned);
    if decimal.is_empty() || !decimal.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let positive = unsigned.parse::<u64>().map(Number::from);
    let number = positive.or_else(|_| unsigned.parse::<i64>().map(Number::from));
    number.ok()
}

fn digits(text: &str, radix: u32) -> Option<Number> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = plain.then(|| u64::from_str_radix(text, radix).ok())??;
    Some(number.into())
}

/// Stricter than Rust's own reading, which takes `inf`, `nan` and `infinity`.
fn float(text: &str) -> Option<Number> {
    let numeric = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let number = (numeric && has_digit).then(|| text.parse::<f64>().ok())??;
    Number::from_f64(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match read(text) {
            Ok(node) => node.to_plugin_config().json.to_string(),
            Err(mistake) => format!("{}: {}", mistake.at, mistake.message),
        }
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let cases = [
            ("[1, -2, +3, 007, 0o17, 0x1F]", "[1,-2,3,7,15,31]"),
            ("[1.5, .5, 1e3, -1.25E-2]", "[1.5,0.5,1000.0,-0.0125]"),
            ("[true, False, null, ~, ]", "[true,false,null,null]"),
            (
                "[yes, on, off, 5s, 1.2.3, inf, '1', \"true\"]",
                r#"["yes","on","off","5s","1.2.3","inf","1","true"]"#,
            ),
            ("a: 18446744073709551615", r#"{"a":18446744073709551615}"#),
            ("a: .nan", "1:4: not a finite number"),
            ("a: |\n  b\n  c\n", r#"{"a":"b\nc\n"}"#),
            ("", "null"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn aliases_are_expanded_within_bounds() {
        assert_eq!(shown("a: &x [1]\nb: *x"), r#"{"a":[1],"b":[1]}"#);
        let laughs = "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
            c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
            e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
        assert!(
            shown(laughs).contains("expand to too much"),
            "{}",
            shown(laughs)
        );
        assert!(shown("a: &a [*a]").contains("no finished anchor"));
        assert!(shown("a: *b").starts_with("1:"));
    }

    #[test]
    fn nesting_is_bounded_also_through_aliases() {
        let deep = |times| "[".repeat(times) + &"]".repeat(times);
        assert_eq!(shown(&deep(65)), "1:65: nested too deeply");
        assert!(shown(&deep(64)).starts_with('['));
        // The parser has a bound of its own, for brackets it has not been asked for yet.
        assert_eq!(
            shown(&deep(100_000)),
            "1:256: not YAML: recursion limit exceeded"
        );
        let half = format!("a: &a {}1{}\n", "[".repeat(40), "]".repeat(40));
        let both = format!("{half}b: {}*a{}\n", "[".repeat(40), "]".repeat(40));
        assert!(shown(&half).starts_with('{'));
        assert_eq!(shown(&both), "2:44: nested too deeply");
    }

    #[test]
    fn what_is_not_supported_is_refused_at_its_place() {
        let cases = [
            ("a: 1\n---\nb: 2\n", "2:1: a second document begins"),
            ("a: !!str 1\n", "1:4: tags are not supported"),
            (
                "a: &x {b: 1}\nc:\n  <<: *x\n",
                "3:3: merge keys (`<<`) are not supported",
            ),
            ("[1]: 2\n", "1:1: expected a key"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
