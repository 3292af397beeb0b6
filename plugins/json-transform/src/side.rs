//! What is done with the bodies of one side.
//!
//! Owns which bodies are changed, and the answers to those that cannot be. The
//! glue calls it for requests and for responses alike.

use std::rc::Rc;

use portcullis_sdk::body;
use portcullis_sdk::config::MediaRange;
use portcullis_sdk::prelude::*;

use crate::config::{ChangesConfig, Mode, OnInvalid};
use crate::lines::{LineError, Lines};
use crate::transform::Transform;

/// What `max_line` may be, in bytes.
const LINES: std::ops::RangeInclusive<u64> = 1 << 10..=16 << 20;

/// The bodies of one side.
#[derive(Debug)]
pub struct Bodies {
    side: Side,
    transform: Rc<Transform>,
    mode: Mode,
    on_invalid: OnInvalid,
    max_line: usize,
    content_types: Vec<MediaRange>,
}

/// One body that is changed line by line.
#[derive(Debug)]
pub struct Stream {
    side: Side,
    lines: Lines,
}

impl Bodies {
    /// Reads the changes of a side; none if there are none.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn new(side: Side, config: Option<ChangesConfig>) -> Result<Option<Self>> {
        let Some(config) = config else {
            return Ok(None);
        };
        let name = match side {
            Side::Request => "request",
            Side::Response => "response",
        };
        let mistake = |error: String| Error::failure(format!("{name}.{error}"));
        if !LINES.contains(&config.max_line.as_bytes()) {
            return Err(mistake("max_line: from 1KiB to 16MiB".to_owned()));
        }
        let transform = Transform::new(&config).map_err(mistake)?;
        let content_types = config.content_types;
        Ok((!transform.is_empty()).then(|| Self {
            side,
            transform: Rc::new(transform),
            mode: config.mode,
            on_invalid: config.on_invalid,
            max_line: config.max_line.to_length(),
            content_types: content_types.unwrap_or_else(|| default_content_types(config.mode)),
        }))
    }

    /// What they are made of.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Lets a body of another type pass, and asks for the plain form of others.
    ///
    /// # Errors
    /// If the gateway refuses that for other reasons than an unknown coding.
    pub fn prepare(&self, exchange: &mut Exchange, types: &[Vec<u8>]) -> Result<Verdict> {
        let is_json = |value: &Vec<u8>| {
            let text = String::from_utf8_lossy(value);
            self.content_types.iter().any(|range| range.contains(&text))
        };
        if !types.iter().any(is_json) {
            exchange.skip_body(self.side)?;
            return Ok(Verdict::Next);
        }
        match exchange.decode_body(self.side) {
            Err(error) if error.refusal() == Some(Refusal::Invalid) => match self.on_invalid {
                OnInvalid::Pass => exchange.skip_body(self.side).map(|()| Verdict::Next),
                OnInvalid::Fail => Ok(unreadable(self.side).into()),
            },
            decoded => decoded.map(|()| Verdict::Next),
        }
    }

    /// Changes a whole body.
    ///
    /// # Errors
    /// None: what is not JSON is answered, or passes.
    pub fn document(&self, body: &mut Body) -> Result<Verdict> {
        if body.is_empty() {
            return Ok(Verdict::Next);
        }
        match (self.transform.document(&body.bytes()), self.on_invalid) {
            (Ok(changed), _) => body.set(changed),
            (Err(_), OnInvalid::Pass) => {}
            (Err(error), OnInvalid::Fail) => {
                return Ok(refusal(self.side, 400, &format!("the body is {error}")).into());
            }
        }
        Ok(Verdict::Next)
    }

    /// A body that begins.
    pub fn stream(&self) -> Stream {
        Stream {
            side: self.side,
            lines: Lines::new(Rc::clone(&self.transform), self.on_invalid, self.max_line),
        }
    }
}

impl Stream {
    fn refuse(&self, error: &LineError) -> Error {
        let status = match error {
            LineError::TooLong { .. } => 413,
            LineError::Invalid { .. } => 400,
        };
        refusal(self.side, status, &error.to_string()).into()
    }
}

impl body::Transform for Stream {
    fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) -> Result<()> {
        let pushed = self.lines.push(bytes, output);
        pushed.map_err(|error| self.refuse(&error))
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> Result<()> {
        let finished = self.lines.finish(output);
        finished.map_err(|error| self.refuse(&error))
    }
}

/// The answer in place of a body that cannot be changed: a request's sender
/// learns why, a response's receiver only that it is so.
fn refusal(side: Side, status: u16, detail: &str) -> Answer {
    match (side, status) {
        (Side::Request, 413) => Answer::problem(413, "Content Too Large", detail),
        (Side::Request, _) => Answer::problem(status, "Bad Request", detail),
        (Side::Response, _) => Answer::problem(
            502,
            "Bad Gateway",
            "the response is not the JSON that it should be",
        ),
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
        Side::Response => refusal(side, 502, ""),
    }
}

fn default_content_types(mode: Mode) -> Vec<MediaRange> {
    let types: &[&str] = match mode {
        Mode::Document => &["application/json", "application/*+json"],
        Mode::Lines => &[
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
        ],
    };
    types.iter().filter_map(|text| text.parse().ok()).collect()
}
