//! A number of bytes as text: `64KiB`, `10GiB`, or a plain number.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Units by name, the longest name first where one ends with another.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// A size in bytes: a whole number with a unit, `500B`, `64KiB`, `16MiB`,
/// `1GiB`, or a number of bytes.
///
/// `0` is a size: who needs a positive one says so when it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// A size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many times 1,024 bytes.
    pub const fn from_kib(kibibytes: u32) -> Self {
        Self((kibibytes as u64) << 10)
    }

    /// A size of so many times 1,048,576 bytes.
    pub const fn from_mib(mebibytes: u32) -> Self {
        Self((mebibytes as u64) << 20)
    }

    /// Its bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// Its bytes as a length in memory; the longest there is if it is more.
    pub fn to_length(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Why a text is no [`Size`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeError(String);

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a size: write a whole number with a unit of B, KiB, MiB or GiB, such as `64KiB`",
            self.0
        )
    }
}

impl std::error::Error for SizeError {}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        parse(text)
            .map(Self)
            .ok_or_else(|| SizeError(text.chars().take(40).collect()))
    }
}

/// Bytes of a text; none if it is not of the form or overflows.
fn parse(text: &str) -> Option<u64> {
    let unit = UNITS
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number = number.strip_suffix(' ').unwrap_or(number);
    if !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(bytes)
}

impl fmt::Display for Size {
    /// In its largest whole unit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .into_iter()
            .find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        match unit {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `64KiB`, or a number of bytes")
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)?$",
            "minimum": 0,
            "examples": ["500B", "64KiB", "1MiB"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_back() {
        for (text, bytes, written) in [
            ("64KiB", 65_536, "64KiB"),
            ("2048 KiB", 2 << 20, "2MiB"),
            ("3GiB", 3 << 30, "3GiB"),
            ("1500B", 1_500, "1500B"),
            ("7", 7, "7B"),
            ("0", 0, "0B"),
        ] {
            let size: Size = text.parse().expect("a size");
            assert_eq!(size.as_bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), written);
            assert_eq!(written.parse(), Ok(size));
        }
        assert_eq!(
            serde_json::from_str::<Size>("42").expect("a size"),
            Size(42)
        );
        assert_eq!(Size::from_kib(64), Size::from_bytes(65_536));
        assert_eq!(Size::from_mib(1), Size::from_kib(1_024));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "KiB",
            "64kb",
            "64KB",
            "-1KiB",
            "+1",
            "1.5MiB",
            " 1B",
            "1  B",
            "99999999999GiB",
            "١",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for json in ["-1", "1.5", "null", "true", "[]"] {
            assert!(serde_json::from_str::<Size>(json).is_err(), "{json}");
        }
        let error = serde_json::from_str::<Size>("\"much\"").expect_err("refused");
        assert!(
            error.to_string().contains("`much` is not a size"),
            "{error}"
        );
    }
}
