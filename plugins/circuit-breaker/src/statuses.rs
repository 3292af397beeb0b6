//! Which statuses of a service count as failures.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One status (`503`) or a class of them (`"5xx"`), 400 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// This status.
    Code(u16),
    /// All statuses with this first digit.
    Class(u16),
}

impl StatusPattern {
    /// `"5xx"`.
    pub const SERVER_ERRORS: Self = Self::Class(5);
}

/// The form in which a pattern is written.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Written {
    Code(u16),
    Class(String),
}

impl<'de> Deserialize<'de> for StatusPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Code(code @ 400..=599) => Ok(Self::Code(code)),
            Written::Class(text) if text == "4xx" => Ok(Self::Class(4)),
            Written::Class(text) if text == "5xx" => Ok(Self::Class(5)),
            _ => Err(de::Error::custom(
                "a failure status is a number from 400 to 599, \"4xx\" or \"5xx\"",
            )),
        }
    }
}

impl Serialize for StatusPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(code) => Written::Code(*code),
            Self::Class(digit) => Written::Class(format!("{digit}xx")),
        }
        .serialize(serializer)
    }
}

impl JsonSchema for StatusPattern {
    fn schema_name() -> Cow<'static, str> {
        "StatusPattern".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 400, "maximum": 599 },
                { "enum": ["4xx", "5xx"] },
            ],
        })
    }
}

/// A set of statuses from 400 to 599, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statuses([u64; 4]);

impl Statuses {
    /// The statuses that one of the patterns names.
    pub fn new(patterns: &[StatusPattern]) -> Self {
        let mut set = Self::default();
        for status in 400..=599_u16 {
            let named = patterns.iter().any(|pattern| match *pattern {
                StatusPattern::Code(code) => code == status,
                StatusPattern::Class(digit) => digit == status / 100,
            });
            if named {
                let bit = usize::from(status - 400);
                set.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        set
    }

    /// True if this status is in the set.
    pub fn contains(self, status: u16) -> bool {
        match status {
            400..=599 => {
                let bit = usize::from(status - 400);
                self.0[bit / 64] & (1 << (bit % 64)) != 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_classes_are_read_and_everything_else_refused() {
        let patterns: Vec<StatusPattern> =
            serde_json::from_str("[429, \"5xx\", 404]").expect("patterns");
        let set = Statuses::new(&patterns);
        for (status, expected) in [
            (0, false),
            (200, false),
            (399, false),
            (400, false),
            (404, true),
            (429, true),
            (499, false),
            (500, true),
            (599, true),
            (600, false),
        ] {
            assert_eq!(set.contains(status), expected, "{status}");
        }
        for text in ["200", "600", "\"3xx\"", "\"503\"", "\"5XX\"", "true"] {
            assert!(
                serde_json::from_str::<StatusPattern>(text).is_err(),
                "{text}"
            );
        }
    }
}
