//! The configuration as written.
//!
//! Owns the words and their meaning; `transform` checks them and makes them fit
//! to run. Called once per instance, from `configure`.

use std::collections::BTreeMap;

use portcullis_sdk::config;
use portcullis_sdk::config::{MediaRange, Size};
use serde_json::value::RawValue;

/// Configuration of `json-transform`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// Changes to the request's body before it goes upstream.
    pub request: Option<ChangesConfig>,
    /// Changes to the response's body before it goes to the client.
    pub response: Option<ChangesConfig>,
}

/// Changes to the bodies of one side: first `remove`, then `rename`, then
/// `set`, then `add`. Paths are such as `user.name`, `items[].id` and
/// `*.secret`, and mean the document as what came before left it.
#[config]
#[derive(Debug, Clone)]
pub struct ChangesConfig {
    /// What a body is made of.
    #[serde(default)]
    pub mode: Mode,
    /// Paths of fields that are removed.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub remove: Vec<String>,
    /// Paths of fields that are renamed, each with its new name.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100))]
    pub rename: BTreeMap<String, String>,
    /// Paths of fields that get this value in place of what they had, if any.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>", extend("maxProperties" = 100))]
    pub set: BTreeMap<String, Box<RawValue>>,
    /// Paths of fields that get this value if they are not there.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>", extend("maxProperties" = 100))]
    pub add: BTreeMap<String, Box<RawValue>>,
    /// What becomes of a body, or of a line, that is not JSON.
    #[serde(default)]
    pub on_invalid: OnInvalid,
    /// The longest line, with `mode: lines`: `1KiB` to `16MiB`. A longer one
    /// breaks the body off.
    #[serde(default = "default_max_line")]
    pub max_line: Size,
    /// The media types of the bodies that are changed, such as
    /// `application/json` or `application/*+json`; others pass as they are.
    /// Default: with `mode: document` those two, with `mode: lines`
    /// `application/x-ndjson`, `application/ndjson`, `application/jsonl` and
    /// `application/x-jsonlines`.
    #[schemars(length(min = 1, max = 100))]
    pub content_types: Option<Vec<MediaRange>>,
}

/// What a body is made of.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One JSON value, held until it is there in full.
    #[default]
    Document,
    /// A JSON value on each line, changed as it streams by.
    Lines,
}

/// What becomes of what is not JSON.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OnInvalid {
    /// A request is answered 400, a response 502; a body that streams breaks
    /// off.
    #[default]
    Fail,
    /// It passes as it is.
    Pass,
}

impl Default for ChangesConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            remove: Vec::new(),
            rename: BTreeMap::new(),
            set: BTreeMap::new(),
            add: BTreeMap::new(),
            on_invalid: OnInvalid::default(),
            max_line: default_max_line(),
            content_types: None,
        }
    }
}

fn default_max_line() -> Size {
    Size::from_mib(1)
}
