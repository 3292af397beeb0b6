//! Lets requests pass that carry a known API key.
//!
//! This file is the glue to the gateway: where the key is, what is answered
//! without a good one, what goes upstream with one. Who holds which key is in
//! [`consumers`]. Everything that is not one key in one place is refused.

pub mod config;
pub mod consumers;

use portcullis_sdk::{prelude::*, query, random};

use crate::config::Config;
use crate::consumers::{Consumer, Consumers};

/// Tells the upstream who asks.
const NAME_HEADER: &str = "x-consumer-name";
/// Tells the upstream in which groups.
const GROUPS_HEADER: &str = "x-consumer-groups";

/// One step of a route's pipeline.
pub struct KeyAuth {
    consumers: Consumers,
    header: Option<String>,
    query: Option<String>,
    hide_credentials: bool,
    challenge: String,
}

/// What a request carries.
struct Credentials {
    keys: Vec<Vec<u8>>,
    /// The query without the key, if the key was in it.
    clean_query: Option<String>,
}

#[plugin(
    summary = "Lets requests pass that carry a known API key, and tells the service whose it is",
    config = Config
)]
impl KeyAuth {
    fn configure(config: Config) -> Result<Self> {
        config.check().map_err(Error::failure)?;
        let allowed = config.allowed_groups.as_deref();
        let salt = (u128::from(random::u64()) << 64 | u128::from(random::u64())).to_ne_bytes();
        Ok(Self {
            consumers: Consumers::new(&config.consumers, allowed, salt).map_err(Error::failure)?,
            header: config.header.map(|name| name.to_ascii_lowercase()),
            query: config.query,
            hide_credentials: config.hide_credentials,
            challenge: format!("ApiKey realm=\"{}\"", config.realm),
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let credentials = self.credentials(exchange);
        let consumer = match &credentials.keys[..] {
            [] => return Ok(self.unauthorized("the request carries no API key")),
            [key] => self.consumers.find(key),
            _ => return Ok(self.unauthorized("the request carries more than one API key")),
        };
        let Some(consumer) = consumer else {
            return Ok(self.unauthorized("the API key is not valid"));
        };
        if !consumer.allowed {
            let detail = "the holder of this API key may not use this route";
            return Ok(Verdict::Respond(Answer::problem(403, "Forbidden", detail)));
        }
        introduce(exchange, consumer)?;
        if self.hide_credentials {
            self.hide(exchange, credentials.clean_query)?;
        }
        Ok(Verdict::Next)
    }
}

impl KeyAuth {
    fn credentials(&self, exchange: &Exchange) -> Credentials {
        let mut keys = match &self.header {
            Some(header) => exchange.request_header_values(header),
            None => Vec::new(),
        };
        let mut clean_query = None;
        if let Some(name) = &self.query
            && let Some(query) = exchange.query()
        {
            let found = query::find(&query, name);
            if !found.values.is_empty() {
                keys.extend(found.values.into_iter().map(|value| value.into_owned()));
                clean_query = Some(found.rest);
            }
        }
        Credentials { keys, clean_query }
    }

    /// Removes the key from what goes upstream.
    fn hide(&self, exchange: &mut Exchange, clean_query: Option<String>) -> Result<()> {
        if let Some(query) = clean_query {
            let path = exchange.path();
            exchange.set_path(&format!("{path}?{query}"))?;
        } else if let Some(header) = &self.header {
            exchange.remove_request_header(header);
        }
        Ok(())
    }

    fn unauthorized(&self, detail: &str) -> Verdict {
        let answer = Answer::problem(401, "Unauthorized", detail);
        Verdict::Respond(answer.header("www-authenticate", &self.challenge))
    }
}

/// Tells later filters and the upstream who asks, in place of whatever the
/// client said of that.
fn introduce(exchange: &mut Exchange, consumer: &Consumer) -> Result<()> {
    exchange.set_request_header(NAME_HEADER, &consumer.name)?;
    if consumer.groups.is_empty() {
        exchange.remove_request_header(GROUPS_HEADER);
    } else {
        exchange.set_request_header(GROUPS_HEADER, &consumer.groups)?;
    }
    exchange.set_attributes(&[
        ("auth.subject", &consumer.name),
        ("auth.consumer", &consumer.name),
        ("auth.groups", &consumer.groups),
        ("auth.method", "key"),
    ])
}
