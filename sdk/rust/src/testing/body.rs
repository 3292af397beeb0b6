//! Runs the hooks that see bodies, on bodies in any split.

use std::borrow::Cow;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Answer, Reply, TestExchange,
    host::{
        body::{InHook, Side},
        exchange::Phase,
    },
};
use crate::{Body, Chunk, ChunkSaid, ChunkVerdict, Exchange, Plugin, Result, Said, Verdict};

/// What has become of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyReply {
    bytes: Vec<u8>,
    trailers: Vec<(String, String)>,
    calls: usize,
    reply: Reply,
}

impl BodyReply {
    /// What went on of it: all, or what did before the filter answered or failed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// [`bytes`](Self::bytes) as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// A trailer field as text, once the body has ended.
    pub fn trailer(&self, name: &str) -> Option<String> {
        let mut trailers = self.trailers.iter();
        let (_, value) = trailers.find(|(other, _)| name.eq_ignore_ascii_case(other))?;
        Some(value.clone())
    }

    /// How often the hook was called.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// [`Reply::Next`] if the body has come to its end.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// The filter's answer, if it gave one.
    pub fn answer(&self) -> Option<&Answer> {
        self.reply.answer()
    }
}

/// Runs the hooks that see bodies.
impl TestExchange {
    /// Sets the trailer fields of the body that comes next.
    ///
    /// # Panics
    /// If a field is not valid.
    pub fn send_trailers<const N: usize>(&self, fields: [(&str, &str); N]) {
        self.flight.borrow_mut().trailers = fields
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::try_from(*name).expect("the trailer's name is valid");
                let value = HeaderValue::from_str(value).expect("the trailer's value is valid");
                (name, value)
            })
            .collect();
    }

    /// Has the request's body stream through a filter, in these chunks; the last
    /// has the end. A last one that is empty is the end alone. Nothing is called
    /// if the filter has skipped the body.
    pub fn run_request_body<P: Plugin, B: AsRef<[u8]>>(
        &self,
        filter: &mut P,
        chunks: impl IntoIterator<Item = B>,
    ) -> BodyReply {
        self.enter(filter);
        let mut state = P::RequestBody::default();
        self.stream(Side::Request, chunks, |exchange, chunk| {
            filter.request_body(exchange, &mut state, chunk)
        })
    }

    /// Has the response's body stream through a filter, as
    /// [`run_request_body`](Self::run_request_body).
    pub fn run_response_body<P: Plugin, B: AsRef<[u8]>>(
        &self,
        filter: &mut P,
        chunks: impl IntoIterator<Item = B>,
    ) -> BodyReply {
        self.enter(filter);
        let mut state = P::ResponseBody::default();
        self.stream(Side::Response, chunks, |exchange, chunk| {
            filter.response_body(exchange, &mut state, chunk)
        })
    }

    /// Runs the hook that sees the request with its whole body.
    pub fn run_request_buffered<P: Plugin>(
        &self,
        filter: &mut P,
        body: impl AsRef<[u8]>,
    ) -> BodyReply {
        self.enter(filter);
        self.buffered(Side::Request, body.as_ref(), |exchange, body| {
            filter.request_buffered(exchange, body)
        })
    }

    /// Runs the hook that sees the response with its whole body. There must be a
    /// response, as for [`run_response`](Self::run_response).
    pub fn run_response_buffered<P: Plugin>(
        &self,
        filter: &mut P,
        body: impl AsRef<[u8]>,
    ) -> BodyReply {
        self.enter(filter);
        self.buffered(Side::Response, body.as_ref(), |exchange, body| {
            filter.response_buffered(exchange, body)
        })
    }

    /// True if somebody has asked for this body without its coding.
    pub fn decodes_body(&self, side: Side) -> bool {
        self.flight.borrow().wishes.decoded.contains(&side)
    }

    /// True if somebody holds this head back until there is something of the body.
    pub fn holds_head(&self, side: Side) -> bool {
        self.flight.borrow().wishes.held.contains(&side)
    }

    fn stream<B: AsRef<[u8]>>(
        &self,
        side: Side,
        chunks: impl IntoIterator<Item = B>,
        mut hook: impl FnMut(&mut Exchange, &mut Chunk) -> Result<ChunkVerdict>,
    ) -> BodyReply {
        let mut passed = BodyReply::new();
        let mut passing = self.skips(side);
        for (chunk, end) in whole(chunks) {
            if passing {
                passed.bytes.extend(chunk);
                continue;
            }
            passed.calls += 1;
            let (said, written) = self.in_body(side.streaming(), &chunk, end, |exchange| {
                let mut handed = Chunk::current(length(&chunk), end);
                ChunkSaid::of(hook(exchange, &mut handed))
            });
            match said {
                ChunkSaid::Pass | ChunkSaid::PassRest => {
                    passed
                        .bytes
                        .extend(written.into_iter().flatten().chain(chunk));
                    passing = said == ChunkSaid::PassRest;
                }
                ChunkSaid::Replace => passed.bytes.extend(written.into_iter().flatten()),
                ChunkSaid::Respond if self.is_too_late(side, &passed) => {
                    passed.reply = Reply::Failed("the head has left before the answer".to_owned());
                    return passed;
                }
                ChunkSaid::Respond => {
                    passed.reply = self.reply(Said::Respond);
                    return passed;
                }
                ChunkSaid::Fail => {
                    passed.reply = self.reply(Said::Fail);
                    return passed;
                }
            }
        }
        passed.trailers = self.take_trailers();
        passed
    }

    fn buffered(
        &self,
        side: Side,
        body: &[u8],
        hook: impl FnOnce(&mut Exchange, &mut Body) -> Result<Verdict>,
    ) -> BodyReply {
        let mut passed = BodyReply::new();
        body.clone_into(&mut passed.bytes);
        if !self.skips(side) {
            passed.calls = 1;
            let (said, written) = self.in_body(side.whole(), body, true, |exchange| {
                let mut handed = Body::current(length(body));
                let result = hook(exchange, &mut handed);
                Said::of_body(result, &mut handed)
            });
            passed.reply = self.reply(said);
            match (&passed.reply, written) {
                (Reply::Next, Some(written)) => passed.bytes = written,
                (Reply::Next, None) => {}
                _ => passed.bytes.clear(),
            }
        }
        passed.trailers = self.take_trailers();
        passed
    }

    /// Runs a hook on some bytes, and returns what it wrote.
    fn in_body<T>(
        &self,
        phase: Phase,
        bytes: &[u8],
        end: bool,
        hook: impl FnOnce(&mut Exchange) -> T,
    ) -> (T, Option<Vec<u8>>) {
        self.flight.borrow_mut().body = Some(InHook {
            bytes: bytes.to_vec(),
            end,
            written: None,
        });
        let said = self.lend(phase, hook);
        let body = self.flight.borrow_mut().body.take();
        (said, body.and_then(|body| body.written))
    }

    fn skips(&self, side: Side) -> bool {
        let flight = self.flight.borrow();
        flight.wishes.skipped.contains(&(flight.step, side))
    }

    /// True if the response's head is on its way.
    fn is_too_late(&self, side: Side, passed: &BodyReply) -> bool {
        side == Side::Response && (!self.holds_head(side) || !passed.bytes.is_empty())
    }

    fn take_trailers(&self) -> Vec<(String, String)> {
        let trailers: HeaderMap = std::mem::take(&mut self.flight.borrow_mut().trailers);
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        trailers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }
}

impl BodyReply {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            trailers: Vec::new(),
            calls: 0,
            reply: Reply::Next,
        }
    }
}

impl Side {
    fn streaming(self) -> Phase {
        match self {
            Self::Request => Phase::RequestBody,
            Self::Response => Phase::ResponseBody,
        }
    }

    fn whole(self) -> Phase {
        match self {
            Self::Request => Phase::RequestBuffered,
            Self::Response => Phase::ResponseBuffered,
        }
    }
}

/// Chunks as the gateway has them: none is empty but the last, which has the end.
fn whole<B: AsRef<[u8]>>(chunks: impl IntoIterator<Item = B>) -> Vec<(Vec<u8>, bool)> {
    let mut chunks: Vec<Vec<u8>> = chunks.into_iter().map(|c| c.as_ref().to_vec()).collect();
    let last = chunks.pop().unwrap_or_default();
    chunks.retain(|chunk| !chunk.is_empty());
    let chunks = chunks.into_iter().map(|chunk| (chunk, false));
    chunks.chain([(last, true)]).collect()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a test's body is smaller than 4 GiB")
}
