//! The limiter's configuration as its user writes it.

use portcullis_sdk::config;
use portcullis_sdk::config::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::Key;

/// Configuration of the rate limiter: one limit (`requests` and `per`), or
/// several (`limits`).
#[config]
#[derive(Debug, Clone)]
pub struct Config {
    /// Steps of the same name share their counters, also across routes.
    /// Default: the route's name.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub name: Option<String>,
    /// How requests are counted.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How many may pass `per` time. For a token bucket, how many tokens it
    /// gains in that time.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: Option<u64>,
    /// The time for `requests`. At most `366d`.
    #[serde(default)]
    pub per: Option<Duration>,
    /// How many tokens a token bucket holds, and so how many requests may pass
    /// at once. Default: `requests`. Not for the other algorithms.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub burst: Option<u64>,
    /// Whose requests are counted together.
    #[serde(default)]
    pub key: Key,
    /// What one request counts.
    #[serde(default = "default_cost")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cost: u32,
    /// Several limits, all of which a request must be within: instead of
    /// `requests` and `per`. `algorithm`, `key` and `cost` beside it are the
    /// defaults of its entries.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub limits: Vec<LimitConfig>,
    /// The status of the answer to a request over the limit.
    #[serde(default = "default_status")]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// Whether responses carry `RateLimit` and `RateLimit-Policy`.
    #[serde(default = "default_headers")]
    pub headers: bool,
    /// How many leading bits of an IPv6 client's address tell clients apart.
    /// One customer usually has a network of 64 bits.
    #[serde(default = "default_ipv6_prefix")]
    #[schemars(range(min = 1, max = 128))]
    pub ipv6_prefix: u8,
}

/// One of several limits.
#[config]
#[derive(Debug, Clone)]
pub struct LimitConfig {
    /// Names the limit in `RateLimit` and `RateLimit-Policy`. Default:
    /// `limit-1`, `limit-2` and so on.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub name: Option<String>,
    /// How requests are counted. Default: that of the step.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// How many may pass `per` time. For a token bucket, how many tokens it
    /// gains in that time.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests: u64,
    /// The time for `requests`. At most `366d`.
    pub per: Duration,
    /// How many tokens a token bucket holds. Default: `requests`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub burst: Option<u64>,
    /// Whose requests are counted together. Default: that of the step.
    #[serde(default)]
    pub key: Option<Key>,
    /// What one request counts. Default: that of the step.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub cost: Option<u32>,
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// A bucket that holds `burst` tokens and gains `requests` of them evenly
    /// over `per`: short bursts pass, the average is held.
    TokenBucket,
    /// Windows that are aligned to the clock. Cheap and simple; around the edge
    /// of two windows twice as many may pass.
    FixedWindow,
    /// The current window and the share of the one before that a sliding window
    /// still covers.
    #[default]
    SlidingWindow,
}

impl Algorithm {
    /// As it is written in the configuration, and in the keys of counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenBucket => "token_bucket",
            Self::FixedWindow => "fixed_window",
            Self::SlidingWindow => "sliding_window",
        }
    }
}

fn default_cost() -> u32 {
    1
}

fn default_status() -> u16 {
    429
}

fn default_headers() -> bool {
    true
}

fn default_ipv6_prefix() -> u8 {
    64
}
