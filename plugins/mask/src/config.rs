//! The configuration as written.
//!
//! Owns the words and their meaning; `rule` checks them and makes them fit to
//! run. Called once per instance, from `configure`.

use portcullis_sdk::config;
use portcullis_sdk::config::{MediaRange, Size};

/// Configuration of `mask`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// Whose bodies are masked.
    #[serde(default)]
    pub side: Sides,
    /// What is replaced. Where two rules match at the same place, the one that
    /// comes first in this list counts.
    #[schemars(length(min = 1, max = 64))]
    pub rules: Vec<RuleConfig>,
    /// How many bytes it may take from where a match begins to where it can
    /// first end, and from each such place to the next: `64B` to `64KiB`. As
    /// much of a body may be held back.
    #[serde(default = "default_max_match")]
    pub max_match: Size,
    /// The media types of the bodies that are masked: `text/html`, `text/*`,
    /// `application/*+json` or `*/*`. A body without a type is always masked.
    /// Default: `text/*`, JSON, XML, YAML, JavaScript, GraphQL and forms.
    #[schemars(length(min = 1, max = 100))]
    pub content_types: Option<Vec<MediaRange>>,
}

/// Whose bodies.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// Those of requests, before they go upstream.
    Request,
    /// Those of responses, before they go to the client.
    #[default]
    Response,
    /// Both.
    Both,
}

impl Sides {
    /// Whether requests are among them.
    pub fn has_requests(self) -> bool {
        matches!(self, Self::Request | Self::Both)
    }

    /// Whether responses are among them.
    pub fn has_responses(self) -> bool {
        matches!(self, Self::Response | Self::Both)
    }
}

/// One rule: what it matches (one of `literal`, `regex` and `preset`) and what
/// takes its place (`replace`, or `keep_last`).
#[config]
#[derive(Debug, Default, Clone)]
pub struct RuleConfig {
    /// Matches this text.
    #[schemars(length(min = 1, max = 1_024))]
    pub literal: Option<String>,
    /// Matches this regular expression, in the syntax of the Rust `regex`
    /// crate, on bytes: classes such as `\w` are those of ASCII.
    #[schemars(length(min = 1, max = 1_024))]
    pub regex: Option<String>,
    /// Matches what many wish to hide.
    pub preset: Option<Preset>,
    /// The text in place of the match. Default, without `keep_last`: `***`.
    #[schemars(length(max = 256))]
    pub replace: Option<String>,
    /// Replaces each character by `fill` but for so many at the end. A match
    /// shorter than twice that is replaced in full.
    #[schemars(range(min = 1, max = 64))]
    pub keep_last: Option<u8>,
    /// The character that `keep_last` puts for others. Default: `*`.
    #[schemars(length(min = 1, max = 1))]
    pub fill: Option<String>,
}

/// What many wish to hide.
#[config]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// An address such as `ann@example.com`.
    Email,
    /// A payment card's number of 13 to 19 digits, also in groups with spaces
    /// or hyphens, whose last digit is right by Luhn's formula.
    CreditCard,
    /// An international bank account number in capitals, also in groups with
    /// spaces, whose check digits are right.
    Iban,
    /// A United States social security number with hyphens or spaces.
    UsSsn,
    /// An IPv4 address.
    Ipv4,
    /// The token after the word `Bearer`.
    BearerToken,
}

fn default_max_match() -> Size {
    Size::from_kib(1)
}

/// The media types of `content_types` where it is not given.
pub fn default_content_types() -> Vec<MediaRange> {
    let types = [
        "text/*",
        "application/json",
        "application/*+json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/xml",
        "application/*+xml",
        "application/yaml",
        "application/javascript",
        "application/graphql",
        "application/x-www-form-urlencoded",
    ];
    types
        .into_iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}
