//! `body-limit`: bounds the bodies of requests and responses.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written) and `limit` (what is counted). The bytes themselves are never
//! asked for, so they pass without a copy.

pub mod config;
pub mod limit;

use portcullis_sdk::hooks::{self, Hook};
use portcullis_sdk::prelude::*;

use config::{Config, Sides};
use limit::{Count, Limit, TooLong};

/// The filter.
#[derive(Debug)]
pub struct BodyLimit {
    limit: Limit,
}

#[plugin(
    summary = "Bounds the bodies of requests and responses: 413 for the one, 502 for the other",
    config = Config
)]
impl BodyLimit {
    fn configure(config: Config) -> Result<Self> {
        match config.side {
            Sides::Request => {
                hooks::skip(Hook::Response);
                hooks::skip_body(Side::Response);
            }
            Sides::Response => {
                hooks::skip(Hook::Request);
                hooks::skip_body(Side::Request);
            }
            Sides::Both => {}
        }
        let limit = Limit::new(config.max_bytes.as_bytes());
        Ok(Self { limit })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let length = exchange.request_header("content-length");
        Ok(match self.limit.announced(length.as_deref()) {
            Ok(()) => Verdict::Next,
            Err(TooLong) => self.limit.content_too_large().into(),
        })
    }

    fn on_request_body(
        &mut self,
        _exchange: &mut Exchange,
        count: &mut Count,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        Ok(match self.limit.count(count, chunk.len() as u64) {
            Ok(()) => ChunkVerdict::Pass,
            Err(TooLong) => self.limit.content_too_large().into(),
        })
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        // These tell the length of what they do not have.
        if exchange.method() == "HEAD" || exchange.response_status() == Some(304) {
            return Ok(Verdict::Next);
        }
        let length = exchange.response_header("content-length");
        Ok(match self.limit.announced(length.as_deref()) {
            Ok(()) => Verdict::Next,
            Err(TooLong) => Limit::bad_gateway().into(),
        })
    }

    fn on_response_body(
        &mut self,
        _exchange: &mut Exchange,
        count: &mut Count,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        match self.limit.count(count, chunk.len() as u64) {
            Ok(()) => Ok(ChunkVerdict::Pass),
            // The head has left: what there is can only be broken off.
            Err(TooLong) => Err(Error::failure("the response is longer than `max_bytes`")),
        }
    }
}

#[cfg(test)]
mod tests;
