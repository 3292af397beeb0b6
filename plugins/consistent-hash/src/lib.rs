//! `consistent-hash`: a balancer that sends the same key to the same instance.
//!
//! This file is the glue between the gateway and the parts: `config` (what the
//! key is) and `ring` (who a key belongs to).

pub mod config;
pub mod ring;

use portcullis_sdk::balancing;
use portcullis_sdk::prelude::*;

use config::{Config, Key};
use ring::Ring;

/// The balancer.
#[derive(Debug)]
pub struct ConsistentHash {
    key: Key,
    points: u32,
    ring: Ring,
}

#[plugin(
    summary = "Balancer: the same header, cookie, attribute, path or client address to the same instance",
    config = Config
)]
impl ConsistentHash {
    fn configure(config: Config) -> Result<Self> {
        Ok(Self {
            key: Key::new(config.by, config.name).map_err(Error::failure)?,
            points: config.points,
            ring: Ring::default(),
        })
    }

    fn instances_changed(&mut self, instances: Vec<Instance>) {
        let instances = instances
            .iter()
            .map(|instance| (instance.id.as_str(), instance.weight));
        self.ring = Ring::new(instances, self.points);
    }

    fn pick(&mut self, exchange: &mut Exchange, attempt: u32) -> Option<u32> {
        let key = match self.key(exchange) {
            Some(key) => key,
            None => exchange.client_address().into_bytes(),
        };
        self.ring
            .pick(&key, |index| attempt > 0 && balancing::tried(index))
    }
}

impl ConsistentHash {
    fn key(&self, exchange: &Exchange) -> Option<Vec<u8>> {
        match &self.key {
            Key::ClientIp => None,
            Key::Header(name) => exchange.request_header(name),
            Key::Attribute(name) => exchange.attribute(name).map(String::into_bytes),
            Key::Path => Some(exchange.path().into_bytes()),
            Key::Cookie(name) => exchange.cookie(name),
        }
    }
}

#[cfg(test)]
mod tests;
