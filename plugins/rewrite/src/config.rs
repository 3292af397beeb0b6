//! The configuration as written.
//!
//! Owns the words and their meaning; `rule` checks them and makes them fit to
//! run. Called once per instance, from `configure`.

use std::collections::BTreeMap;

use portcullis_sdk::config;

/// Configuration of `rewrite`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// Tried in order; the first that matches is applied, and no other. A
    /// request that none matches goes on unchanged.
    #[schemars(length(min = 1, max = 1_000))]
    pub rules: Vec<RuleConfig>,
}

/// One rule: what it matches (`prefix` or `path`, and `header`; all of them if
/// none is given) and what it does (`to`, `service`, `set_headers`).
#[config]
#[derive(Debug, Default)]
pub struct RuleConfig {
    /// Matches paths that begin with these whole segments: `/api/v1` matches
    /// `/api/v1` and `/api/v1/users`, not `/api/v10`. `/` matches every path.
    #[schemars(regex(pattern = "^/"))]
    pub prefix: Option<String>,
    /// Matches this path only.
    #[schemars(regex(pattern = "^/"))]
    pub path: Option<String>,
    /// Matches requests with these headers: each name with the exact value
    /// that one of its fields must have, or `*` for any value.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// What takes the place of the matched `prefix` or `path`. `/` strips a
    /// prefix. The query stays as it is.
    #[schemars(regex(pattern = "^/"))]
    pub to: Option<String>,
    /// The service the request goes to.
    #[schemars(length(min = 1))]
    pub service: Option<String>,
    /// Request headers to set, each in place of all values it had.
    #[serde(default)]
    pub set_headers: BTreeMap<String, String>,
}
