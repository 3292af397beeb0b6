//! The configuration as written.
//!
//! Owns the words and their meaning; `changes` checks them and makes them fit
//! to run. Called once per instance, from `configure`.

use std::collections::BTreeMap;

use portcullis_sdk::config;

/// Configuration of `headers`.
#[config]
#[derive(Debug, Default)]
pub struct Config {
    /// Changes to the request before it goes upstream.
    #[serde(default)]
    pub request: ChangesConfig,
    /// Changes to the response before it goes to the client.
    #[serde(default)]
    pub response: ChangesConfig,
}

/// Changes to one message: first `remove`, then `set`, then `add`. Values may
/// hold placeholders such as `{request_id}`; `{{` and `}}` are plain braces.
#[config]
#[derive(Debug, Default)]
pub struct ChangesConfig {
    /// Names of headers that lose all their values.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub remove: Vec<String>,
    /// Headers that get this value in place of all they had. If the value
    /// holds a placeholder that stands for nothing, the header is removed.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100))]
    pub set: BTreeMap<String, String>,
    /// Headers that get this value, or these, beside those they have. A value
    /// with a placeholder that stands for nothing is left out.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 100))]
    pub add: BTreeMap<String, OneOrMany>,
}

/// One value or several.
#[config]
#[derive(Debug)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One value.
    One(String),
    /// Several, in order.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The values as a list.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}
