//! Lets requests pass that carry a valid JSON Web Token.
//!
//! This file is the glue to the gateway, and the order in which a request is
//! judged: [`public`] path, [`source`] of the token, [`cache`], then [`token`]
//! form, [`keys`] and signature, [`claims`]. A claim is read only after the
//! signature was found good. Whatever is not understood is refused.
//!
//! Keys that the issuer publishes are [`remote`]: read from what one instance has
//! [`published`] to all, and [`fetched`](fetch) by one at a time.

pub mod cache;
pub mod claims;
pub mod config;
pub mod fetch;
pub mod json;
pub mod keys;
pub mod names;
pub mod problem;
pub mod public;
pub mod published;
pub mod remote;
mod settings;
pub mod source;
pub mod token;

use portcullis_sdk::prelude::*;

use crate::cache::Cache;
use crate::claims::{Identity, Rules};
use crate::config::Config;
use crate::keys::Keys;
use crate::problem::{Answers, Invalid};
use crate::public::PublicPaths;
use crate::remote::{Asked, Remote};
use crate::source::Source;
use crate::token::Token;

/// One step of a route's pipeline.
#[derive(Debug)]
pub struct JwtAuth {
    keys: Keys,
    remote: Option<Box<Remote>>,
    rules: Rules,
    cache: Cache<Box<Identity>>,
    source: Source,
    public: PublicPaths,
    answers: Answers,
    forward_token: bool,
    longest_token: usize,
}

#[plugin(
    summary = "Lets requests pass that carry a valid JSON Web Token, and hands its claims on to later filters and the service",
    config = Config,
    optional(http, store)
)]
impl JwtAuth {
    fn configure(config: Config) -> Result<Self> {
        Self::new(config).map_err(Error::failure)
    }

    async fn on_start(&mut self) -> Result<()> {
        match &mut self.remote {
            Some(remote) => remote.start().await.map_err(Error::failure),
            None => Ok(()),
        }
    }

    async fn on_tick(&mut self) -> Result<()> {
        if let Some(remote) = &mut self.remote {
            remote.refresh().await;
        }
        Ok(())
    }

    async fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        self.take_news();
        let mut judged = self.judge(exchange);
        if let (Err(Invalid::Key), Some(remote)) = (&judged, &mut self.remote) {
            let asked = remote.ask().await;
            self.take_news();
            let unknown = match asked {
                Asked::Elsewhere => Some(1),
                Asked::Answered => None,
                Asked::NotNow(seconds) => self.keys.is_empty().then_some(seconds),
            };
            judged = match (self.judge(exchange), unknown) {
                (Err(Invalid::Key), Some(seconds)) => Ok(Some(self.answers.no_keys(seconds))),
                (judged, _) => judged,
            };
        }
        match judged {
            Ok(None) => {}
            Ok(Some(answer)) => return Ok(Verdict::Respond(answer)),
            Err(why) => return Ok(Verdict::Respond(self.answers.invalid(why))),
        }
        if !self.forward_token {
            self.source.remove(exchange)?;
        }
        Ok(Verdict::Next)
    }
}

impl JwtAuth {
    /// Takes over keys that have come since the last request. What was verified
    /// with those before is forgotten: a key may have been taken back.
    fn take_news(&mut self) {
        if let Some(remote) = &mut self.remote
            && let Some(keys) = remote.news()
        {
            self.keys.take_fetched(&keys);
            self.cache.clear();
        }
    }

    /// Judges a request, unless its path is public.
    fn judge(&mut self, exchange: &mut Exchange) -> Result<Option<Answer>, Invalid> {
        if !self.public.is_empty() && self.public.contains(&exchange.path()) {
            remove_claims(exchange, &self.rules);
            return Ok(None);
        }
        self.authenticate(exchange)
    }

    /// Judges a request's token, and hands on whose it is. An answer, where there
    /// is one, is for a request without a token or without a scope.
    fn authenticate(&mut self, exchange: &mut Exchange) -> Result<Option<Answer>, Invalid> {
        let Some(token) = self.source.find(exchange)? else {
            return Ok(Some(self.answers.missing()));
        };
        if token.len() > self.longest_token {
            return Err(Invalid::TooLong);
        }
        let now_ms = remote::now_ms();
        if let Some(identity) = self.cache.find(&token) {
            let validity = identity.validity;
            if validity.check(now_ms).is_ok() {
                return admit(exchange, &self.rules, &self.answers, identity);
            }
            self.cache.forget(&token);
            validity.check(now_ms)?;
        }
        let identity = Box::new(self.verify(&token, now_ms)?);
        let admitted = admit(exchange, &self.rules, &self.answers, &identity);
        let bytes = identity.bytes();
        self.cache.keep(&token, identity, bytes);
        admitted
    }

    fn verify(&self, token: &[u8], now_ms: u64) -> Result<Identity, Invalid> {
        let text = std::str::from_utf8(token).map_err(|_| Invalid::Malformed)?;
        let token = Token::parse(text)?;
        self.keys.verify(&token)?;
        self.rules.judge(&token.claims()?, now_ms)
    }
}

/// Hands on who sent the request, if a scope is not missing.
fn admit(
    exchange: &mut Exchange,
    rules: &Rules,
    answers: &Answers,
    identity: &Identity,
) -> Result<Option<Answer>, Invalid> {
    if !identity.has_scopes {
        return Ok(Some(answers.insufficient_scope()));
    }
    // The gateway may refuse a value that these claims make: that is a token
    // which cannot be used here, not a failure of this filter that `on_error:
    // skip` would forgive.
    introduce(exchange, rules, identity).map_err(|_| Invalid::Unusable)?;
    Ok(None)
}

fn introduce(exchange: &mut Exchange, rules: &Rules, identity: &Identity) -> Result<()> {
    // Also where there is nothing to say, in place of what an earlier filter
    // said of somebody else.
    let mut attributes = vec![
        ("auth.subject", identity.subject.as_str()),
        ("auth.issuer", &identity.issuer),
        ("auth.scopes", &identity.scopes),
        ("auth.method", "jwt"),
    ];
    let claims = rules.attributes.iter().zip(&identity.attributes);
    attributes.extend(claims.filter_map(|((_, name), value)| {
        let value = value.as_deref()?;
        Some((name.as_str(), value))
    }));
    exchange.set_attributes(&attributes)?;
    for ((_, name), value) in rules.headers.iter().zip(&identity.headers) {
        match value {
            Some(value) => exchange.set_request_header(name, value)?,
            None => {
                exchange.remove_request_header(name);
            }
        }
    }
    Ok(())
}

/// Removes headers that only a token may fill, but a client can send.
fn remove_claims(exchange: &mut Exchange, rules: &Rules) {
    for (_, name) in &rules.headers {
        exchange.remove_request_header(name);
    }
}
