//! Keys that the issuer publishes: when it is asked for them, and by whom.
//!
//! Requests look at what was [`published`](crate::published), which costs a
//! number each. The issuer is asked at the start, in the background when the keys
//! have become old, and when a token names a key that nobody knows; by one
//! instance at a time, and once in a cool-down, whatever comes. What was fetched
//! stays in use until there is something better.

use std::time::Duration;

use portcullis_sdk::{clock, config, log, metrics};
use serde_json::Value;

use crate::config::{Config, RefreshConfig};
use crate::fetch::{Failure, Source};
use crate::published::{Published, Turn};

/// How long the start may take for it: less than a gateway waits for it.
const AT_START: Duration = Duration::from_millis(1_500);

/// The keys of an issuer, as one instance knows them.
#[derive(Debug)]
pub struct Remote {
    source: Source,
    refresh: RefreshConfig,
    published: Published,
    /// What is known here already.
    version: i64,
}

/// What became of the wish for more keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The issuer was asked and has answered: what is not known now is unknown to it.
    Answered,
    /// Somebody else is asking right now.
    Elsewhere,
    /// The issuer cannot be asked before so many seconds are over.
    NotNow(u64),
}

impl Remote {
    /// That of a configuration, if it has one.
    ///
    /// # Errors
    /// If it has two, or a time is out of its range.
    pub fn new(config: &Config) -> Result<Option<Self>, String> {
        let source = match (&config.jwks_url, &config.oidc_discovery) {
            (None, None) => return Ok(None),
            (Some(url), None) => Source::KeySet(checked("jwks_url", url)?),
            (None, Some(url)) => Source::Issuer(checked("oidc_discovery", url)?),
            (Some(_), Some(_)) => {
                return Err("give one of `jwks_url` and `oidc_discovery`".into());
            }
        };
        let refresh = config.jwks_refresh.clone();
        let seconds = config::Duration::from_secs;
        for (key, value, least, most) in [
            ("every", refresh.every, seconds(60), seconds(86_400)),
            ("cool_down", refresh.cool_down, seconds(1), seconds(3_600)),
            (
                "timeout",
                refresh.timeout,
                config::Duration::from_millis(100),
                seconds(60),
            ),
        ] {
            if value < least || value > most {
                return Err(format!(
                    "`jwks_refresh.{key}` is {value}, but at least {least} and at most {most}"
                ));
            }
        }
        Ok(Some(Self {
            published: Published::of(&source),
            source,
            refresh,
            version: 0,
        }))
    }

    /// The keys, if they are others than at the last call.
    pub fn news(&mut self) -> Option<Vec<Value>> {
        let version = self.published.version();
        if version == self.version {
            return None;
        }
        self.version = version;
        self.published.keys(version)
    }

    /// Asks for keys before the first request comes, unless they are there from
    /// an earlier configuration. An issuer that does not answer is no reason not to
    /// start.
    ///
    /// # Errors
    /// If the step does not allow what it takes.
    pub async fn start(&mut self) -> Result<(), String> {
        if !self.published.is_possible() {
            return Err(
                "keys of an issuer are shared by all workers: `allow: { store: true }`".into(),
            );
        }
        if self.is_due() && self.published.take_turn(self.longest_ms()) == Turn::Mine {
            let timeout = self.refresh.timeout.to_std().min(AT_START);
            if self.fetch(timeout).await == Err(Failure::Denied) {
                let url = self.source.url();
                return Err(format!(
                    "`{url}` may not be asked: `allow: {{ http: […] }}`"
                ));
            }
        }
        Ok(())
    }

    /// Asks for keys if they have become old.
    pub async fn refresh(&mut self) {
        if self.is_due() && self.published.take_turn(self.longest_ms()) == Turn::Mine {
            // The log has said why, and the next tick tries again.
            let _ = self.fetch(self.refresh.timeout.to_std()).await;
        }
    }

    /// Asks for keys since one is not known, if it may be asked now.
    pub async fn ask(&mut self) -> Asked {
        let later = Asked::NotNow(self.refresh.cool_down.as_millis().div_ceil(1_000));
        match self.published.take_turn(self.longest_ms()) {
            Turn::Another => Asked::Elsewhere,
            Turn::Over => later,
            Turn::Mine => match self.fetch(self.refresh.timeout.to_std()).await {
                Ok(()) => Asked::Answered,
                Err(_) => later,
            },
        }
    }

    async fn fetch(&mut self, timeout: Duration) -> Result<(), Failure> {
        let keys = self.source.keys(timeout).await;
        let fetched = keys.and_then(|keys| match self.published.publish(&keys, now_ms()) {
            true => Ok(()),
            false => Err(Failure::Other("the store does not take the keys".into())),
        });
        self.published.done(self.refresh.cool_down.as_millis());
        let outcome = match &fetched {
            Ok(()) => "good",
            Err(_) => "failed",
        };
        metrics::add("jwt_auth_key_fetches_total", &[("outcome", outcome)], 1);
        match &fetched {
            Ok(()) => {}
            Err(Failure::Denied) => log::error(format!(
                "the keys of the issuer: {}: the request is not allowed",
                self.source.url()
            )),
            Err(Failure::Other(why)) => log::warn(format!("the keys of the issuer: {why}")),
        }
        fetched
    }

    fn is_due(&self) -> bool {
        let fetched = self.published.fetched_ms();
        let age = fetched.map(|fetched| now_ms().saturating_sub(fetched));
        age.is_none_or(|age| age >= self.refresh.every.as_millis())
    }

    /// How long a turn is at most, should whoever has it be stopped: not shorter
    /// than a cool-down, so that clients who leave cannot make for more questions.
    fn longest_ms(&self) -> u64 {
        let fetch = self.refresh.timeout.as_millis() + 1_000;
        fetch.max(self.refresh.cool_down.as_millis())
    }
}

/// Milliseconds since the Unix epoch.
pub fn now_ms() -> u64 {
    u64::try_from(clock::now().as_millis()).unwrap_or(u64::MAX)
}

fn checked(key: &str, url: &str) -> Result<String, String> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    let is_plain = url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match is_http && is_plain {
        true => Ok(url.to_owned()),
        false => Err(format!("`{key}` is no `http://` or `https://` address")),
    }
}
