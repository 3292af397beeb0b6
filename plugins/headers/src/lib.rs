//! `headers`: sets, adds and removes header fields on both sides.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `template` (values with placeholders), `changes` (what happens in
//! which order).

pub mod changes;
pub mod config;
pub mod template;

use portcullis_sdk::{
    hooks::{self, Hook},
    prelude::*,
};

use changes::{Changes, Head};
use config::Config;
use template::Field;

/// The filter.
#[derive(Debug)]
pub struct Headers {
    request: Changes,
    response: Changes,
}

#[plugin(
    summary = "Sets, adds and removes header fields of requests and responses; values may hold placeholders",
    config = Config
)]
impl Headers {
    fn configure(config: Config) -> Result<Self> {
        let side = |name: &str, config| {
            Changes::new(config).map_err(|error| Error::failure(format!("{name}: {error}")))
        };
        let request = side("request", config.request)?;
        let response = side("response", config.response)?;
        if request.is_empty() {
            hooks::skip(Hook::Request);
        }
        if response.is_empty() {
            hooks::skip(Hook::Response);
        }
        Ok(Self { request, response })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        self.request.apply(&mut RequestHead(exchange))?;
        Ok(Verdict::Next)
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        self.response.apply(&mut ResponseHead(exchange))?;
        Ok(Verdict::Next)
    }
}

struct RequestHead<'e>(&'e mut Exchange);

impl Head for RequestHead<'_> {
    type Error = Error;

    fn lookup(&self, field: &Field) -> Option<Vec<u8>> {
        lookup(self.0, field)
    }

    fn remove(&mut self, name: &str) {
        self.0.remove_request_header(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.0.set_request_header(name, value)
    }

    fn add(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.0.append_request_header(name, value)
    }
}

struct ResponseHead<'e>(&'e mut Exchange);

impl Head for ResponseHead<'_> {
    type Error = Error;

    fn lookup(&self, field: &Field) -> Option<Vec<u8>> {
        lookup(self.0, field)
    }

    fn remove(&mut self, name: &str) {
        self.0.remove_response_header(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.0.set_response_header(name, value)
    }

    fn add(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.0.append_response_header(name, value)
    }
}

fn lookup(exchange: &Exchange, field: &Field) -> Option<Vec<u8>> {
    let text = match field {
        Field::RequestId => exchange.request_id(),
        Field::ClientIp => exchange.client_address(),
        Field::Method => exchange.method(),
        Field::Scheme => exchange.scheme(),
        Field::Host => exchange.host(),
        Field::Path => exchange.path(),
        Field::Route => exchange.route(),
        Field::Service => exchange.service()?,
        Field::Instance => exchange.instance()?,
        Field::Attribute(name) => exchange.attribute(name)?,
        Field::Header(name) => return exchange.request_header(name),
    };
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests;
