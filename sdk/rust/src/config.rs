//! Types that many plugins' configurations need.
//!
//! Each reads one form of text, refuses everything else in words that help,
//! and describes itself to the configuration's JSON Schema, so that the gateway
//! refuses nonsense with file and line before a plugin sees it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod media;
mod size;

pub use media::{MediaRange, MediaRangeError};
pub use size::{Size, SizeError};

/// Units from the longest to the shortest, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest time that can be written: ten thousand days.
const LONGEST_MS: u64 = 10_000 * 86_400_000;

/// A length of time as text: whole numbers with a unit, `500ms`, `60s`, `15m`,
/// `1h`, `7d`, or several of them, `1h30m`.
///
/// Milliseconds are the finest; ten thousand days the longest. `0s` is a
/// duration: who needs a positive one asks [`Duration::is_zero`] when it is
/// configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

impl Duration {
    /// A duration of so many milliseconds, at most ten thousand days.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(if milliseconds > LONGEST_MS {
            LONGEST_MS
        } else {
            milliseconds
        })
    }

    /// A duration of so many seconds, at most ten thousand days.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// Its milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// True for `0s`.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The same as a [`std::time::Duration`].
    pub const fn to_std(self) -> time::Duration {
        time::Duration::from_millis(self.0)
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.to_std()
    }
}

/// Why a text is no [`Duration`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError(String);

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a duration: write whole numbers with a unit of ms, s, m, h or d, such as `500ms`, `60s` or `1h30m`",
            self.0
        )
    }
}

impl std::error::Error for DurationError {}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        parse(text)
            .filter(|milliseconds| *milliseconds <= LONGEST_MS)
            .map(Self)
            .ok_or_else(|| DurationError(text.chars().take(40).collect()))
    }
}

/// Milliseconds of a text; none if it is not of the form or overflows.
fn parse(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        if tail.is_empty() {
            return Some(total);
        }
        rest = tail;
    }
}

impl fmt::Display for Duration {
    /// The shortest text that reads back as the same duration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (unit, factor) in UNITS {
            if left >= factor {
                write!(f, "{}{unit}", left / factor)?;
                left %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h|d))+$",
            "examples": ["500ms", "60s", "1h30m"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, milliseconds, written) in [
            ("500ms", 500, "500ms"),
            ("60s", 60_000, "1m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("7d", 604_800_000, "7d"),
            ("1s500ms", 1_500, "1s500ms"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().expect("a duration");
            assert_eq!(duration.as_millis(), milliseconds, "{text}");
            assert_eq!(duration.to_string(), written);
            assert_eq!(written.parse(), Ok(duration));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "s",
            "60",
            "1.5s",
            "-1s",
            "+1s",
            "1 s",
            " 1s",
            "1s ",
            "1w",
            "1S",
            "1m30",
            "10001d",
            "99999999999999999999s",
            "18446744073709551615d",
            "١s",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_shows_the_text_and_the_form() {
        let error = serde_json::from_str::<Duration>("\"soon\"").expect_err("refused");
        assert!(
            error.to_string().contains("`soon` is not a duration"),
            "{error}"
        );
    }
}
