//! Which media types: `text/html`, `text/*`, `application/*+json`, `*/*`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A media range (RFC 9110 §12.5.1) without parameters: one type, all of a
/// kind, or all; and all of a kind with a structured syntax suffix (RFC 6839),
/// as in `application/*+json`. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaRange {
    /// In lower case; as written.
    text: String,
}

impl MediaRange {
    /// Whether the value of a `content-type` is within the range, whatever its
    /// parameters.
    pub fn contains(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let Some((kind, subtype)) = essence.split_once('/') else {
            return false;
        };
        let (wanted_kind, wanted) = self.parts();
        let subtype_fits = match wanted.strip_prefix('*') {
            Some(suffix) => ends_with(subtype, suffix),
            None => subtype.eq_ignore_ascii_case(wanted),
        };
        (wanted_kind == "*" || kind.eq_ignore_ascii_case(wanted_kind)) && subtype_fits
    }

    fn parts(&self) -> (&str, &str) {
        self.text.split_once('/').unwrap_or((&self.text, ""))
    }
}

fn ends_with(text: &str, suffix: &str) -> bool {
    let start = text.len().checked_sub(suffix.len());
    let end = start.and_then(|start| text.get(start..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// Why a text is no [`MediaRange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRangeError(String);

impl fmt::Display for MediaRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a media type: write `text/html`, `text/*`, `application/*+json` or `*/*`, without parameters",
            self.0
        )
    }
}

impl std::error::Error for MediaRangeError {}

impl FromStr for MediaRange {
    type Err = MediaRangeError;

    fn from_str(text: &str) -> Result<Self, MediaRangeError> {
        let valid = text.split_once('/').is_some_and(|(kind, subtype)| {
            let suffix = subtype.strip_prefix('*').unwrap_or(subtype);
            let subtype_fits = match suffix.strip_prefix('+') {
                Some(suffix) => subtype != suffix && is_token(suffix),
                None => subtype == "*" || is_token(subtype),
            };
            (kind == "*" && subtype == "*") || (is_token(kind) && subtype_fits)
        });
        if !valid {
            return Err(MediaRangeError(text.chars().take(40).collect()));
        }
        let text = text.to_ascii_lowercase();
        Ok(Self { text })
    }
}

/// RFC 6838 §4.2, restricted-name.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
}

impl fmt::Display for MediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for MediaRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MediaRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for MediaRange {
    fn schema_name() -> Cow<'static, str> {
        "MediaRange".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[^/;*\\s]+/[^/;*\\s]+$|^[^/;*\\s]+/\\*(\\+[^/;*\\s]+)?$|^\\*/\\*$",
            "examples": ["application/json", "text/*", "application/*+json"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_types_whatever_their_case_and_parameters() {
        for (range, content_type, expected) in [
            ("text/html", "text/html", true),
            ("text/html", "Text/HTML; charset=utf-8", true),
            ("text/html", "text/htm", false),
            ("text/*", "text/event-stream", true),
            ("text/*", "application/text", false),
            ("Application/*+JSON", "application/problem+json", true),
            ("application/*+json", "application/json", false),
            ("application/*+json", "application/+json", true),
            ("application/*+json", "application/é", false),
            ("*/*", "image/png", true),
            ("*/*", "nonsense", false),
        ] {
            let range: MediaRange = range.parse().expect("a range");
            assert_eq!(
                range.contains(content_type),
                expected,
                "{range} {content_type}"
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "", "text", "text/", "/html", "*/html", "*/*+json", "text/*x", "text/*+", "a/b;c=d",
            "a/b/c", "a b/c",
        ] {
            assert!(text.parse::<MediaRange>().is_err(), "{text}");
        }
    }
}
