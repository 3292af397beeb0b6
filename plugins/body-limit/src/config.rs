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
    pub side: Side,
}

/// Whose bodies.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Those of requests.
    #[default]
    Request,
    /// Those of responses.
    Response,
    /// Both.
    Both,
}

impl Side {
    /// Whether requests are among them.
    pub fn has_requests(self) -> bool {
        matches!(self, Self::Request | Self::Both)
    }

    /// Whether responses are among them.
    pub fn has_responses(self) -> bool {
        matches!(self, Self::Response | Self::Both)
    }
}
