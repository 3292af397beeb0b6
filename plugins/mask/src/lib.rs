//! `mask`: replaces what must not be seen in bodies of any length.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `preset` (what many wish to hide), `rule` (what a match is),
//! `replacement` (what takes its place), `rules` (all of them together) and
//! `masker` (one body as it streams by).

pub mod config;
pub mod masker;
pub mod preset;
pub mod replacement;
pub mod rule;
pub mod rules;

use std::rc::Rc;

use portcullis_sdk::body::Transform;
use portcullis_sdk::config::MediaRange;
use portcullis_sdk::hooks::{self, Hook};
use portcullis_sdk::prelude::*;

use config::{Config, Sides};
use masker::Masker;
use rules::Rules;

/// What `max_match` may be, in bytes.
const STEPS: std::ops::RangeInclusive<u64> = 64..=64 << 10;

/// The filter.
#[derive(Debug)]
pub struct Mask {
    rules: Rc<Rules>,
    sides: Sides,
    content_types: Vec<MediaRange>,
}

#[plugin(
    summary = "Replaces patterns, such as the numbers of cards, in bodies of any length as they stream by",
    config = Config
)]
impl Mask {
    fn configure(config: Config) -> Result<Self> {
        if !STEPS.contains(&config.max_match.as_bytes()) {
            return Err(Error::failure("max_match: from 64B to 64KiB"));
        }
        let rules = Rules::new(&config.rules, config.max_match.to_length());
        if !config.side.has_requests() {
            hooks::skip_body(Side::Request);
        }
        if !config.side.has_responses() {
            hooks::skip(Hook::Response);
            hooks::skip_body(Side::Response);
        }
        Ok(Self {
            rules: Rc::new(rules.map_err(Error::failure)?),
            sides: config.side,
            content_types: config
                .content_types
                .unwrap_or_else(config::default_content_types),
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        if self.sides.has_responses() {
            // In parts of a response a match could be seen by halves.
            exchange.remove_request_header("range");
        }
        if !self.sides.has_requests() {
            return Ok(Verdict::Next);
        }
        let types = exchange.request_header_values("content-type");
        self.prepare(exchange, Side::Request, &types)
    }

    fn on_request_body(
        &mut self,
        _exchange: &mut Exchange,
        masker: &mut Option<Masker>,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        chunk.transform(masker.get_or_insert_with(|| Masker::new(Rc::clone(&self.rules))))
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let types = exchange.response_header_values("content-type");
        self.prepare(exchange, Side::Response, &types)
    }

    fn on_response_body(
        &mut self,
        _exchange: &mut Exchange,
        masker: &mut Option<Masker>,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        chunk.transform(masker.get_or_insert_with(|| Masker::new(Rc::clone(&self.rules))))
    }
}

impl Mask {
    /// Lets a body of another type pass, and asks for the plain form of others.
    fn prepare(&self, exchange: &mut Exchange, side: Side, types: &[Vec<u8>]) -> Result<Verdict> {
        if !types.is_empty() && !types.iter().any(|value| self.is_masked(value)) {
            exchange.skip_body(side)?;
            return Ok(Verdict::Next);
        }
        match exchange.decode_body(side) {
            Ok(()) => Ok(Verdict::Next),
            Err(error) if error.refusal() == Some(Refusal::Invalid) => Ok(unreadable(side).into()),
            Err(error) => Err(error),
        }
    }

    /// What is no type may be taken for any by whoever receives it.
    fn is_masked(&self, content_type: &[u8]) -> bool {
        match std::str::from_utf8(content_type) {
            Ok(text) if text.contains('/') => {
                self.content_types.iter().any(|range| range.contains(text))
            }
            _ => true,
        }
    }
}

/// The answer in place of a body in a coding that the gateway does not know.
fn unreadable(side: Side) -> Answer {
    match side {
        Side::Request => Answer::problem(
            415,
            "Unsupported Media Type",
            "the content coding is not supported here",
        )
        .header("accept-encoding", "gzip, deflate, br"),
        Side::Response => Answer::problem(
            502,
            "Bad Gateway",
            "the response has a content coding that is not supported here",
        ),
    }
}

impl Transform for Masker {
    fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) -> Result<()> {
        Self::push(self, bytes, output);
        Ok(())
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<()> {
        Self::finish(self, output);
        Ok(())
    }
}
