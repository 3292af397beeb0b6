//! One limit, checked: what it asks of the counters and how it is shown.

use portcullis_sdk::config::Duration;
use portcullis_sdk::counters::{self, Bucket, Decision, Window};

use crate::config::{Algorithm, Config, LimitConfig};
use crate::key::Key;

/// The longest `per`.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name in the `RateLimit` fields.
    pub name: String,
    /// How requests are counted.
    pub algorithm: Algorithm,
    /// How many may pass in `per_ms`.
    pub requests: u64,
    /// Milliseconds.
    pub per_ms: u64,
    /// How many may pass at once.
    pub capacity: u64,
    /// Whose requests are counted together.
    pub key: Key,
    /// What one request counts.
    pub cost: u32,
}

impl Limit {
    /// Checks what the schema cannot say, and turns either form of the
    /// configuration into limits: at least one.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub fn all(config: &Config) -> Result<Vec<Self>, String> {
        let limits = match (config.requests, config.per) {
            (Some(requests), Some(per)) if config.limits.is_empty() => {
                vec![Self::single(config, requests, per)?]
            }
            (None, None) if !config.limits.is_empty() && config.burst.is_none() => several(config)?,
            (None, None) if config.limits.is_empty() => {
                return Err("`requests` and `per` are missing (or several `limits`)".into());
            }
            (Some(_), None) if config.limits.is_empty() => return Err("`per` is missing".into()),
            (None, Some(_)) if config.limits.is_empty() => {
                return Err("`requests` is missing".into());
            }
            _ => {
                return Err("`requests`, `per` and `burst` go into the entries of `limits`".into());
            }
        };
        distinct(&limits)?;
        Ok(limits)
    }

    fn single(config: &Config, requests: u64, per: Duration) -> Result<Self, String> {
        Self {
            name: "default".into(),
            algorithm: config.algorithm,
            requests,
            per_ms: per.as_millis(),
            capacity: capacity(config.algorithm, requests, config.burst)?,
            key: config.key.clone(),
            cost: config.cost,
        }
        .checked(per)
    }

    fn entry(config: &Config, entry: &LimitConfig, number: usize) -> Result<Self, String> {
        let algorithm = entry.algorithm.unwrap_or(config.algorithm);
        Self {
            name: entry
                .name
                .clone()
                .unwrap_or_else(|| format!("limit-{number}")),
            algorithm,
            requests: entry.requests,
            per_ms: entry.per.as_millis(),
            capacity: capacity(algorithm, entry.requests, entry.burst)?,
            key: entry.key.clone().unwrap_or_else(|| config.key.clone()),
            cost: entry.cost.unwrap_or(config.cost),
        }
        .checked(entry.per)
    }

    fn checked(self, per: Duration) -> Result<Self, String> {
        if per.is_zero() || per > LONGEST {
            return Err(format!(
                "`per` is {per}, but longer than 0s and at most {LONGEST}"
            ));
        }
        if self.requests == 0 || self.capacity == 0 || self.cost == 0 {
            return Err("`requests`, `burst` and `cost` are at least 1".into());
        }
        if i32::try_from(self.cost).is_err() || u64::from(self.cost) > self.capacity {
            return Err(format!(
                "`cost` is {}, but at most {} may pass at once: nothing would ever pass",
                self.cost, self.capacity
            ));
        }
        Ok(self)
    }

    /// Takes the cost, if it is there.
    pub fn take(&self, key: &str) -> Decision {
        self.ask(key, self.cost.cast_signed())
    }

    /// Gives back what was taken.
    pub fn give_back(&self, key: &str) -> Decision {
        self.ask(key, -self.cost.cast_signed())
    }

    /// Looks, and takes nothing.
    pub fn look(&self, key: &str) -> Decision {
        self.ask(key, 0)
    }

    fn ask(&self, key: &str, cost: i32) -> Decision {
        let window = Window {
            limit: self.requests,
            window_ms: self.per_ms,
        };
        match self.algorithm {
            Algorithm::TokenBucket => counters::token_bucket(key, self.bucket(), cost),
            Algorithm::FixedWindow => counters::fixed_window(key, window, cost),
            Algorithm::SlidingWindow => counters::sliding_window(key, window, cost),
        }
    }

    fn bucket(&self) -> Bucket {
        Bucket {
            capacity: self.capacity,
            refill: self.requests,
            per_ms: self.per_ms,
        }
    }

    /// Milliseconds until the cost would be allowed, of a limit that was only
    /// looked at: exact for a bucket, for a window its end.
    pub fn wait_ms(&self, decision: &Decision) -> u64 {
        let missing = u64::from(self.cost).saturating_sub(decision.remaining);
        match self.algorithm {
            _ if missing == 0 => 0,
            Algorithm::TokenBucket => {
                let wait =
                    (u128::from(missing) * u128::from(self.per_ms)).div_ceil(self.requests.into());
                u64::try_from(wait).unwrap_or(u64::MAX)
            }
            Algorithm::FixedWindow | Algorithm::SlidingWindow => decision.reset_ms,
        }
    }
}

/// What may pass at once.
fn capacity(algorithm: Algorithm, requests: u64, burst: Option<u64>) -> Result<u64, String> {
    match (algorithm, burst) {
        (Algorithm::TokenBucket, burst) => Ok(burst.unwrap_or(requests)),
        (_, None) => Ok(requests),
        (_, Some(_)) => Err(format!(
            "`burst` is for `algorithm: token_bucket` only, not {}",
            algorithm.as_str()
        )),
    }
}

fn several(config: &Config) -> Result<Vec<Limit>, String> {
    let entries = config.limits.iter().enumerate();
    entries
        .map(|(index, entry)| {
            Limit::entry(config, entry, index + 1)
                .map_err(|error| format!("`limits` entry {}: {error}", index + 1))
        })
        .collect()
}

/// Two limits of one name would share their counters and their place in the
/// `RateLimit` field.
fn distinct(limits: &[Limit]) -> Result<(), String> {
    for (index, limit) in limits.iter().enumerate() {
        if limits[..index].iter().any(|other| other.name == limit.name) {
            return Err(format!("two `limits` are named `{}`", limit.name));
        }
    }
    Ok(())
}
