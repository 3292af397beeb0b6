//! Asking an issuer for its keys.

use std::time::Duration;

use portcullis_sdk::http::{self, Request};
use portcullis_sdk::{clock, log};
use serde_json::{Map, Value};

use crate::keys::{self, MOST_KEYS};

/// Bytes of a key set, and of the description of an issuer.
const LARGEST: u64 = 512 << 10;

/// Where an issuer describes itself, under its URL.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where keys are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A key set.
    KeySet(String),
    /// An issuer that says where its key set is.
    Issuer(String),
}

/// Why there are no keys.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// The step does not allow asking.
    Denied,
    /// In words for the log.
    Other(String),
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

impl Source {
    /// The URL that the configuration gives.
    pub fn url(&self) -> &str {
        match self {
            Self::KeySet(url) | Self::Issuer(url) => url,
        }
    }

    /// Asks for the keys, within a time. Those that cannot verify signatures are
    /// left out, and so is whatever is secret.
    ///
    /// # Errors
    /// If there is no answer, it is not understood, or holds no key that is of use.
    pub async fn keys(&self, timeout: Duration) -> Result<Vec<Value>, Failure> {
        let end = clock::now() + timeout;
        let url = match self {
            Self::KeySet(url) => url.clone(),
            Self::Issuer(issuer) => key_set_of(issuer, timeout).await?,
        };
        let left = end.saturating_sub(clock::now());
        if left.is_zero() {
            return Err(Failure::Other("it took too long".into()));
        }
        let set = document(&url, left).await?;
        let Some(Value::Array(members)) = set.get("keys") else {
            return Err(Failure::Other(format!("{url}: there is no list `keys`")));
        };
        let mut keys: Vec<Value> = members.iter().filter_map(keys::publishable).collect();
        if keys.is_empty() {
            let text = format!("{url}: there is no key that signatures can be verified with");
            return Err(Failure::Other(text));
        }
        if keys.len() > MOST_KEYS {
            log::warn(format!(
                "{url}: of {} keys the first {MOST_KEYS} are used",
                keys.len()
            ));
            keys.truncate(MOST_KEYS);
        }
        Ok(keys)
    }
}

/// Where an issuer says that its key set is (OpenID Connect Discovery 1.0, 4).
async fn key_set_of(issuer: &str, timeout: Duration) -> Result<String, Failure> {
    let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    let description = document(&url, timeout).await?;
    // Or anybody whose description is reached would speak for this issuer.
    if description.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(Failure::Other(format!("{url}: it is not of `{issuer}`")));
    }
    match description.get("jwks_uri") {
        Some(Value::String(set)) if is_as_safe(set, issuer) => Ok(set.clone()),
        _ => Err(Failure::Other(format!(
            "{url}: there is no `jwks_uri` that can be used"
        ))),
    }
}

/// True for `https`, and for `http` if that is what the configuration has.
fn is_as_safe(set: &str, issuer: &str) -> bool {
    set.starts_with("https://") || set.starts_with("http://") && issuer.starts_with("http://")
}

/// A JSON object. Redirects are not followed: whoever could make one could name
/// other keys.
async fn document(url: &str, timeout: Duration) -> Result<Map<String, Value>, Failure> {
    let failed = |error: http::Error| match error {
        http::Error::Denied => Failure::Denied,
        error => Failure::Other(format!("{url}: {error}")),
    };
    let request = Request::get(url)
        .header("accept", "application/json")
        .timeout(timeout)
        .limit(LARGEST);
    let mut answer = request.send().await.map_err(failed)?;
    if answer.status() != 200 {
        let status = answer.status();
        return Err(Failure::Other(format!(
            "{url}: it answered with status {status}"
        )));
    }
    let body = answer.bytes().await.map_err(failed)?;
    serde_json::from_slice(&body).map_err(|error| Failure::Other(format!("{url}: {error}")))
}
