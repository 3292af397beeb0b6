//! `json-transform`: renames, removes and adds fields of JSON bodies.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `path` (how a place is written), `tree` (which changes apply
//! where), `pass` (one pass over a text), `transform` (all of them in order),
//! `lines` (a body with a text on each line) and `side` (what is done with the
//! bodies of one side).

pub mod config;
pub mod lines;
mod pass;
pub mod path;
pub mod side;
pub mod transform;
pub mod tree;

use portcullis_sdk::hooks::{self, Hook};
use portcullis_sdk::prelude::*;

use config::{Config, Mode};
use side::{Bodies, Stream};

/// The filter.
#[derive(Debug)]
pub struct JsonTransform {
    request: Option<Bodies>,
    response: Option<Bodies>,
}

#[plugin(
    summary = "Renames, removes and adds fields of JSON bodies by their paths, of whole documents or line by line",
    config = Config
)]
impl JsonTransform {
    fn configure(config: Config) -> Result<Self> {
        let request = Bodies::new(Side::Request, config.request)?;
        let response = Bodies::new(Side::Response, config.response)?;
        match request.as_ref().map(Bodies::mode) {
            Some(Mode::Document) => hooks::skip(Hook::RequestBody),
            Some(Mode::Lines) => hooks::skip(Hook::RequestBuffered),
            None => hooks::skip_body(Side::Request),
        }
        match response.as_ref().map(Bodies::mode) {
            Some(Mode::Document) => hooks::skip(Hook::ResponseBody),
            Some(Mode::Lines) => hooks::skip(Hook::ResponseBuffered),
            None => {
                hooks::skip(Hook::Response);
                hooks::skip_body(Side::Response);
            }
        }
        if request.is_none() && response.is_none() {
            hooks::skip(Hook::Request);
        }
        Ok(Self { request, response })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        if self.response.is_some() {
            // A part of a document is none.
            exchange.remove_request_header("range");
        }
        let types = exchange.request_header_values("content-type");
        match &self.request {
            Some(bodies) => bodies.prepare(exchange, &types),
            None => Ok(Verdict::Next),
        }
    }

    fn on_request_buffered(&mut self, _: &mut Exchange, body: &mut Body) -> Result<Verdict> {
        match &self.request {
            Some(bodies) => bodies.document(body),
            None => Ok(Verdict::Next),
        }
    }

    fn on_request_body(
        &mut self,
        _exchange: &mut Exchange,
        stream: &mut Option<Stream>,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        match &self.request {
            Some(bodies) => chunk.transform(stream.get_or_insert_with(|| bodies.stream())),
            None => Ok(ChunkVerdict::PassRest),
        }
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let types = exchange.response_header_values("content-type");
        match &self.response {
            Some(bodies) => bodies.prepare(exchange, &types),
            None => Ok(Verdict::Next),
        }
    }

    fn on_response_buffered(&mut self, _: &mut Exchange, body: &mut Body) -> Result<Verdict> {
        match &self.response {
            Some(bodies) => bodies.document(body),
            None => Ok(Verdict::Next),
        }
    }

    fn on_response_body(
        &mut self,
        _exchange: &mut Exchange,
        stream: &mut Option<Stream>,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        match &self.response {
            Some(bodies) => chunk.transform(stream.get_or_insert_with(|| bodies.stream())),
            None => Ok(ChunkVerdict::PassRest),
        }
    }
}
