//! A route's retries, and their reader.

use std::{num::NonZeroU32, time::Duration};

use super::{
    duration::duration,
    reader::Item,
    scalar::{choice, positive, small},
};

/// Whether and how a request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// Tries in all, the first included; 1 means no retry. Default 1.
    pub attempts: NonZeroU32,
    /// The longest one try may take up to the response's head. Default: the route's timeout.
    pub per_try_timeout: Option<Duration>,
    /// What is retried. Default `[connect_failure, reset, gateway_error]`.
    pub on: Vec<RetryOn>,
    /// Waiting between tries.
    pub backoff: Backoff,
    /// The most retries there may be, as percent of requests; those after a
    /// failure to connect are not counted. Default 20.
    pub budget_percent: u32,
    /// Retries a second that are allowed whatever the percentage says. Default 3.
    pub budget_min_per_second: u32,
}

/// A reason for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryOn {
    /// No connection, or it broke before anything of the request was sent.
    ConnectFailure,
    /// The upstream answered 502, 503 or 504.
    GatewayError,
    /// The upstream answered any 5xx.
    ServerError,
    /// The connection broke after the request was sent, before a response came.
    Reset,
    /// A try took longer than `per_try_timeout`.
    Timeout,
}

/// Exponential back-off with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound before the first retry; doubles with each. Default 25 ms.
    pub base: Duration,
    /// The most it grows to. Default 250 ms.
    pub max: Duration,
}

/// The most tries of one request.
const MOST_ATTEMPTS: u32 = 10;

const REASONS: [(&str, RetryOn); 5] = [
    ("connect_failure", RetryOn::ConnectFailure),
    ("gateway_error", RetryOn::GatewayError),
    ("server_error", RetryOn::ServerError),
    ("reset", RetryOn::Reset),
    ("timeout", RetryOn::Timeout),
];

const BUDGET_PERCENT: u32 = 20;
const BUDGET_MIN_PER_SECOND: u32 = 3;

const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(25),
    max: Duration::from_millis(250),
};

impl Default for Retries {
    /// What holds for a route without `retries`: one try.
    fn default() -> Self {
        Self {
            attempts: NonZeroU32::MIN,
            per_try_timeout: None,
            on: vec![
                RetryOn::ConnectFailure,
                RetryOn::Reset,
                RetryOn::GatewayError,
            ],
            backoff: BACKOFF,
            budget_percent: BUDGET_PERCENT,
            budget_min_per_second: BUDGET_MIN_PER_SECOND,
        }
    }
}

impl RetryOn {
    /// The word for it in the configuration: `connect_failure`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectFailure => "connect_failure",
            Self::GatewayError => "gateway_error",
            Self::ServerError => "server_error",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }
}

/// `{ attempts, per_try_timeout, on, backoff, budget }` of a route with this timeout.
pub(super) fn retries(item: &Item<'_>, route_timeout: Duration) -> Option<Retries> {
    let fields = item.fields(&["attempts", "per_try_timeout", "on", "backoff", "budget"])?;
    let defaults = Retries::default();
    let per_try_timeout = fields.read("per_try_timeout", |item| {
        let timeout = duration(item)?;
        if timeout > route_timeout {
            let message = "longer than the route's timeout";
            return item.mistake(message, "the route's `timeout` is for all tries together");
        }
        Some(timeout)
    });
    let on = fields.read_or("on", defaults.on, reasons);
    let backoff = fields.read_or("backoff", BACKOFF, backoff);
    let (budget_percent, budget_min_per_second) =
        fields.read_or("budget", (BUDGET_PERCENT, BUDGET_MIN_PER_SECOND), budget);
    let attempts = fields.require("attempts", "3", |item| positive(item, MOST_ATTEMPTS))?;
    Some(Retries {
        attempts,
        per_try_timeout,
        on,
        backoff,
        budget_percent,
        budget_min_per_second,
    })
}

fn reasons(item: &Item<'_>) -> Option<Vec<RetryOn>> {
    let items = item.list("`[connect_failure, reset]`")?;
    if items.is_empty() {
        return item.mistake("nothing would be retried", "leave `retries` out for that");
    }
    Some(
        items
            .iter()
            .filter_map(|item| choice(item, &REASONS))
            .collect(),
    )
}

fn backoff(item: &Item<'_>) -> Option<Backoff> {
    let fields = item.fields(&["base", "max"])?;
    let base = fields.read("base", duration);
    let max = fields.read("max", duration);
    let (base, max) = match (base, max) {
        (Some(base), Some(max)) if base > max => {
            return item.mistake(
                "`base` is longer than `max`",
                "waiting grows from `base` to `max`",
            );
        }
        (base, max) => {
            let base = base.unwrap_or(BACKOFF.base.min(max.unwrap_or(BACKOFF.base)));
            (base, max.unwrap_or(BACKOFF.max.max(base)))
        }
    };
    Some(Backoff { base, max })
}

fn budget(item: &Item<'_>) -> Option<(u32, u32)> {
    let fields = item.fields(&["percent", "min_per_second"])?;
    let percent = fields.read_or("percent", BUDGET_PERCENT, |item| small(item, 0..=100));
    let least = fields.read_or("min_per_second", BUDGET_MIN_PER_SECOND, |item| {
        small(item, 0..=1_000_000)
    });
    Some((percent, least))
}
