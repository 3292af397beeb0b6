//! What a plugin says of itself, and the section of its file that carries it.
//!
//! The section is a custom section of the component, outermost level, named
//! [`SECTION`]: JSON, described in `wit/README.md`. It can be read without
//! running or even compiling anything, and it is the plugin author's word, as
//! the exported `describe` is: both go through [`Description::checked`].

use std::{collections::BTreeMap, ops::Range};

use serde_json::value::RawValue;
use wasmparser::{Chunk, Parser, Payload};

use super::LoadError;

/// The section's name.
pub(super) const SECTION: &str = "portcullis:plugin";

/// The form of its content. Keys may be added to it; what changes the meaning
/// of one is another format.
const FORMAT: &str = "1";

/// The longest text of each kind that a plugin may say of itself, in bytes.
const LONGEST_TEXT: usize = 4 << 10;
const LONGEST_SCHEMA: usize = 1 << 20;

/// The largest section, in bytes: the longest texts, with room for escapes.
const LARGEST_SECTION: usize = 2 << 20;

/// What a plugin says of itself; empty if it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// One or two sentences for people.
    pub summary: String,
    /// The plugin's own version.
    pub version: String,
    /// JSON Schema of its configuration. None: every configuration is passed
    /// on unchecked.
    pub config_schema: Option<String>,
    /// Capabilities that it imports but can do without, by their names.
    pub optional: Vec<String>,
}

/// Where a description comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescribedBy {
    /// A section of the file: nothing was run.
    Section,
    /// The plugin itself, which was run.
    Export,
    /// Nobody: it has neither.
    Nobody,
}

impl Description {
    /// Holds the texts to their bounds.
    pub(super) fn checked(
        summary: String,
        version: String,
        config_schema: Option<String>,
        optional: Vec<String>,
    ) -> Result<Self, String> {
        let schema = config_schema.as_ref().map_or(0, String::len);
        let names: usize = optional.iter().map(|name| name.len() + 1).sum();
        match summary.len().max(version.len()).max(names) > LONGEST_TEXT || schema > LONGEST_SCHEMA
        {
            true => Err("what it says of itself is too long".into()),
            false => Ok(Self {
                summary,
                version,
                config_schema,
                optional,
            }),
        }
    }

    fn from_json(json: &[u8]) -> Result<Self, String> {
        if json.len() > LARGEST_SECTION {
            return Err(format!("is larger than {LARGEST_SECTION} bytes"));
        }
        let said: BTreeMap<String, &RawValue> =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let raw = |key: &str| said.get(key).map(|value| value.get());
        match raw("format") {
            Some(FORMAT) => {}
            Some(other) => return Err(format!("has the format {other:.20}, known is {FORMAT}")),
            None => return Err("has no `format`".into()),
        }
        let text = |key: &str| match raw(key) {
            None => Ok(String::new()),
            Some(json) => serde_json::from_str(json).map_err(|_| format!("`{key}` is no text")),
        };
        let schema = raw("config_schema").filter(|json| *json != "null");
        Self::checked(
            text("summary")?,
            text("version")?,
            schema.map(str::to_owned),
            match raw("optional") {
                None => Vec::new(),
                Some(json) => {
                    serde_json::from_str(json).map_err(|_| "`optional` is no list of texts")?
                }
            },
        )
    }

    fn to_json(&self) -> Result<String, String> {
        let text = |text: &str| serde_json::to_string(text).and_then(RawValue::from_string);
        let schema = self.config_schema.clone().map(RawValue::from_string);
        let keys = || {
            let format = RawValue::from_string(FORMAT.to_owned())?;
            let mut keys = vec![
                ("format", format),
                ("summary", text(&self.summary)?),
                ("version", text(&self.version)?),
            ];
            if let Some(schema) = schema {
                keys.push(("config_schema", schema?));
            }
            if !self.optional.is_empty() {
                let names = serde_json::to_string(&self.optional)?;
                keys.push(("optional", RawValue::from_string(names)?));
            }
            let keys: BTreeMap<&str, Box<RawValue>> = keys.into_iter().collect();
            serde_json::to_string(&keys)
        };
        keys().map_err(|error: serde_json::Error| format!("its schema is no JSON: {error}"))
    }
}

/// The description that a component carries, if it carries one.
pub(super) fn read(component: &[u8]) -> Result<Option<Description>, LoadError> {
    match sections(component)?.as_slice() {
        [] => Ok(None),
        [(_, json)] => Description::from_json(json)
            .map(Some)
            .map_err(LoadError::Description),
        _ => Err(LoadError::Description("there is more than one".into())),
    }
}

/// The component without descriptions.
pub(super) fn strip(component: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut rest = Vec::with_capacity(component.len());
    let mut from = 0;
    for (range, _) in sections(component)? {
        rest.extend_from_slice(&component[from..range.start]);
        from = range.end;
    }
    rest.extend_from_slice(&component[from..]);
    Ok(rest)
}

/// Adds a description to a component that has none.
pub(super) fn append(component: &mut Vec<u8>, said: &Description) -> Result<(), LoadError> {
    let json = said.to_json().map_err(LoadError::Description)?;
    // Section 0 is a custom one: its size, the length of its name, its name.
    component.push(0);
    let name = [&leb128(SECTION.len())[..], SECTION.as_bytes()].concat();
    component.extend(leb128(name.len() + json.len()));
    component.extend(name);
    component.extend(json.into_bytes());
    Ok(())
}

type Section<'a> = (Range<usize>, &'a [u8]);

/// Where each description is in a component, with its header, and its content.
/// Nested modules and components, which may be someone else's, are passed over.
fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, LoadError> {
    let malformed = |reason: String| LoadError::Malformed(reason);
    let mut parser = Parser::new(0);
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let Some(rest) = component.get(at..) else {
            return Err(malformed("it ends within a section".into()));
        };
        let parsed = parser.parse(rest, true);
        let (consumed, payload) = match parsed.map_err(|error| malformed(error.to_string()))? {
            Chunk::Parsed { consumed, payload } => (consumed, payload),
            Chunk::NeedMoreData(_) => return Err(malformed("it ends too early".into())),
        };
        let start = at;
        at += consumed;
        match payload {
            Payload::CustomSection(section) if section.name() == SECTION => {
                found.push((start..at, section.data()));
            }
            Payload::ModuleSection {
                unchecked_range: nested,
                ..
            }
            | Payload::ComponentSection {
                unchecked_range: nested,
                ..
            } => at = at.saturating_add(nested.len()),
            Payload::End(_) => return Ok(found),
            _ => {}
        }
    }
}

/// An unsigned number as WebAssembly writes it: seven bits a byte.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    fn said() -> Description {
        Description {
            summary: "Says \"hello\"\n".into(),
            version: "1.2.3".into(),
            config_schema: Some(r#"{"type":"object","maximum":1.50}"#.into()),
            optional: vec!["http".into(), "later".into()],
        }
    }

    fn with(json: &[u8]) -> Vec<u8> {
        let name = [&leb128(SECTION.len())[..], SECTION.as_bytes(), json].concat();
        [&EMPTY[..], &[0], &leb128(name.len()), &name].concat()
    }

    #[test]
    fn what_was_added_is_read_back_and_can_be_taken_away() {
        for said in [said(), Description::default()] {
            let mut component = EMPTY.to_vec();
            append(&mut component, &said).unwrap();
            assert_eq!(read(&component).unwrap(), Some(said));
            assert_eq!(strip(&component).unwrap(), EMPTY);
        }
        assert_eq!(read(&EMPTY).unwrap(), None);
    }

    #[test]
    fn what_is_nested_is_somebody_elses() {
        let mut inner = EMPTY.to_vec();
        append(&mut inner, &said()).unwrap();
        let nested = [&EMPTY[..], &[4], &leb128(inner.len()), &inner].concat();
        assert_eq!(read(&nested).unwrap(), None);
        assert_eq!(strip(&nested).unwrap(), nested);
        assert!(read(&nested[..nested.len() - 1]).is_err(), "it is cut off");
    }

    #[test]
    fn a_description_that_cannot_be_used_is_refused() {
        let long = format!(r#"{{"format":1,"summary":"{}"}}"#, "x".repeat(5_000));
        let twice = [
            with(b"{\"format\":1}"),
            with(b"{\"format\":1}")[8..].to_vec(),
        ]
        .concat();
        for (component, reason) in [
            (with(b"\xff"), "expected value"),
            (with(b"[]"), "expected a map"),
            (with(b"{}"), "has no `format`"),
            (with(b"{\"format\":2}"), "has the format 2, known is 1"),
            (
                with(b"{\"format\":1,\"version\":3}"),
                "`version` is no text",
            ),
            (with(long.as_bytes()), "too long"),
            (with(&vec![b' '; LARGEST_SECTION + 1]), "is larger than"),
            (twice, "there is more than one"),
        ] {
            let error = read(&component).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}\n does not say: {reason}");
        }
        let unknown = with(b"{\"format\":1,\"later\":[]}");
        assert_eq!(read(&unknown).unwrap(), Some(Description::default()));
    }
}
