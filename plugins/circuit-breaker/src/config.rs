//! The breaker's configuration as its user writes it, and the settings that
//! it is judged by.

use portcullis_sdk::config;
use portcullis_sdk::config::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::statuses::{StatusPattern, Statuses};

/// The longest `window`, `timeout` and `trial_timeout`.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Configuration of the circuit breaker.
#[config]
#[derive(Debug, Clone)]
pub struct Config {
    /// Failures in a row that open the breaker: no success between them, and
    /// no more than `window` from one to the next. Default 5, or not used if
    /// `failure_rate` is given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    failure_threshold: Option<u16>,
    /// Percentage of failures among the requests of the last `window` that
    /// opens the breaker, once there were `minimum_requests`. Not used unless
    /// given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    failure_rate: Option<u8>,
    /// The time that `failure_rate` looks back over, and the longest pause
    /// between failures that count as being in a row. At most `1d`.
    #[serde(default = "default_window")]
    window: Duration,
    /// Requests within `window` below which `failure_rate` says nothing.
    #[serde(default = "default_minimum_requests")]
    #[schemars(range(min = 1, max = 1_000_000))]
    minimum_requests: u32,
    /// Successful trial requests that close the half-open breaker.
    #[serde(default = "default_success_threshold")]
    #[schemars(range(min = 1, max = 1000))]
    success_threshold: u16,
    /// How long the breaker stays open before it lets trial requests pass. At
    /// most `1d`.
    #[serde(default = "default_timeout")]
    timeout: Duration,
    /// Trial requests that may be under way at once while half-open.
    #[serde(default = "default_max_requests")]
    #[schemars(range(min = 1, max = 100))]
    max_requests: u16,
    /// After this time a trial request that was never heard of again no longer
    /// counts as under way. Longer than the longest request. At most `1d`.
    #[serde(default = "default_trial_timeout")]
    trial_timeout: Duration,
    /// Statuses of the service that count as failures: codes (`503`) or classes
    /// (`"5xx"`). Failed connections, broken answers and timeouts always count.
    #[serde(default = "default_failure_statuses")]
    failure_statuses: Vec<StatusPattern>,
    /// What has a breaker of its own: each `service`, whichever routes lead to
    /// it, or each `route`.
    #[serde(default)]
    scope: Scope,
}

/// What has a breaker of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Each service, whichever routes lead to it.
    #[default]
    Service,
    /// Each route, whichever service it leads to.
    Route,
}

impl Scope {
    /// The label of metrics and the prefix of keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Route => "route",
        }
    }
}

/// What a breaker is judged by: the configuration, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open; none: they do not.
    pub failure_threshold: Option<u16>,
    /// The rate that opens, if one does.
    pub failure_rate: Option<FailureRate>,
    /// Milliseconds after which a failure is no longer in a row with the last.
    pub window_ms: u64,
    /// Successes that close.
    pub success_threshold: u16,
    /// Milliseconds the breaker stays open.
    pub open_ms: u64,
    /// Trials at once.
    pub trials: u16,
    /// Milliseconds after which a trial counts as lost.
    pub trial_ms: u64,
    /// Statuses that are failures.
    pub statuses: Statuses,
    /// What has a breaker of its own.
    pub scope: Scope,
}

/// A failure rate that opens the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRate {
    /// Percent, 1 to 100.
    pub percent: u8,
    /// Requests below which it says nothing.
    pub minimum_requests: u32,
}

impl Config {
    /// Checks the numbers, and what the schema cannot say.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub fn settings(self) -> Result<Settings, String> {
        let threshold_default = self.failure_rate.is_none().then_some(5);
        within(
            "failure_threshold",
            self.failure_threshold.unwrap_or(1),
            1_000,
        )?;
        within("failure_rate", self.failure_rate.unwrap_or(1).into(), 100)?;
        within("success_threshold", self.success_threshold, 1_000)?;
        within("max_requests", self.max_requests, 100)?;
        Ok(Settings {
            failure_threshold: self.failure_threshold.or(threshold_default),
            failure_rate: self.failure_rate.map(|percent| FailureRate {
                percent,
                minimum_requests: self.minimum_requests,
            }),
            window_ms: positive("window", self.window)?,
            success_threshold: self.success_threshold,
            open_ms: positive("timeout", self.timeout)?,
            trials: self.max_requests,
            trial_ms: positive("trial_timeout", self.trial_timeout)?,
            statuses: Statuses::new(&self.failure_statuses),
            scope: self.scope,
        })
    }
}

/// Checks bounds that the schema has too: a count of zero would be a breaker that
/// never closes, and a larger one than a word holds would be cut.
fn within(key: &str, value: u16, most: u16) -> Result<(), String> {
    match value {
        0 => Err(format!("`{key}` is at least 1")),
        _ if value > most => Err(format!("`{key}` is at most {most}")),
        _ => Ok(()),
    }
}

/// The milliseconds of a duration that must be above zero and at most a day.
fn positive(key: &str, duration: Duration) -> Result<u64, String> {
    if duration.is_zero() {
        return Err(format!("`{key}` must be longer than 0s"));
    }
    if duration > LONGEST {
        return Err(format!("`{key}` is {duration}, but at most {LONGEST}"));
    }
    Ok(duration.as_millis())
}

fn default_window() -> Duration {
    Duration::from_secs(10)
}

fn default_minimum_requests() -> u32 {
    10
}

fn default_success_threshold() -> u16 {
    2
}

fn default_timeout() -> Duration {
    Duration::from_secs(60)
}

fn default_max_requests() -> u16 {
    1
}

fn default_trial_timeout() -> Duration {
    Duration::from_secs(30)
}

fn default_failure_statuses() -> Vec<StatusPattern> {
    vec![StatusPattern::SERVER_ERRORS]
}
