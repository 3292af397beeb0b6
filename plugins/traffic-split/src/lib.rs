//! `traffic-split`: splits a route's traffic between services by weight.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `split` (which service), `cookie` (how a client is remembered).
//! It keeps nothing per request: whether the response needs a cookie is seen
//! from the request that is still there.

pub mod config;
pub mod cookie;
pub mod split;

use portcullis_sdk::{
    hooks::{self, Hook},
    prelude::*,
    random,
};

use config::{Config, Key, Sticky};
use cookie::Transport;
use split::{Sequence, Split};

/// The filter.
#[derive(Debug)]
pub struct TrafficSplit {
    split: Split,
    key: Option<Key>,
    sequence: Sequence,
}

#[plugin(
    summary = "Splits a route's traffic between services by weight, if asked sticky by header, cookie, attribute or client address",
    config = Config
)]
impl TrafficSplit {
    fn configure(config: Config) -> Result<Self> {
        let split = Split::new(&config.services).map_err(Error::failure)?;
        let key = config
            .sticky
            .map(Sticky::key)
            .transpose()
            .map_err(Error::failure)?;
        if let Some(Key::Cookie { .. }) = key {
            config::fit_for_cookie(&config.services).map_err(Error::failure)?;
        }
        if !matches!(key, Some(Key::Cookie { .. })) {
            hooks::skip(Hook::Response);
        }
        let sequence = Sequence::starting_at(random::u64());
        Ok(Self {
            split,
            key,
            sequence,
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let service = match self.kept(exchange) {
            Some(service) => service,
            None => self.split.at(self.sequence.next_point()),
        };
        exchange.set_service(service).map_err(|error| {
            Error::failure(format!(
                "cannot send the request to service `{service}`: {error}"
            ))
        })?;
        Ok(Verdict::Next)
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let Some(Key::Cookie { name, max_age }) = &self.key else {
            return Ok(Verdict::Next);
        };
        if self.named_by_cookie(exchange, name).is_some() {
            return Ok(Verdict::Next);
        }
        // A later filter may have sent the request to a service of its own
        // choice, which is none to remember.
        let service = exchange.service();
        if let Some(service) = service.and_then(|service| self.split.named(service.as_bytes())) {
            let transport = match exchange.scheme().as_str() {
                "https" => Transport::Secure,
                _ => Transport::Plain,
            };
            let cookie = cookie::set(name, service, *max_age, transport);
            exchange.append_response_header("set-cookie", cookie)?;
        }
        Ok(Verdict::Next)
    }
}

impl TrafficSplit {
    /// The service that this client has to stay with, if it can be told.
    fn kept(&self, exchange: &Exchange) -> Option<&str> {
        match self.key.as_ref()? {
            Key::Header(name) => Some(self.split.for_key(&exchange.request_header(name)?)),
            Key::Attribute(name) => Some(self.split.for_key(exchange.attribute(name)?.as_bytes())),
            Key::ClientIp => Some(self.split.for_key(exchange.client_address().as_bytes())),
            Key::Cookie { name, .. } => self.named_by_cookie(exchange, name),
        }
    }

    fn named_by_cookie(&self, exchange: &Exchange, name: &str) -> Option<&str> {
        self.split.named(&exchange.cookie(name)?)
    }
}

#[cfg(test)]
mod tests;
