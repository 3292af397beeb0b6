//! The configuration as written.
//!
//! Owns the words and their meaning. Called once per instance, from
//! `configure`.

use portcullis_sdk::config;
use portcullis_sdk::config::Size;

/// Configuration of `body-limit`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// How long a body may be, in the coding in which it is sent: `0`, `64KiB`,
    /// `1GiB`.
    pub max_bytes: Size,
    /// Whose bodies.
    #[serde(default)]
    pub side: Sides,
}

/// Whose bodies.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// Those of requests.
    #[default]
    Request,
    /// Those of responses.
    Response,
    /// Both.
    Both,
}
