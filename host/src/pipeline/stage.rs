//! One filter in the way of a body: sees it as it streams by, or whole.

use std::task::{Poll, ready};

use bytes::BytesMut;

use crate::{
    config::OnError,
    exchange::{Exchange, Piece, Side},
    observe::{Hook, Limit},
    plugin::{ChunkVerdict, Full, Instance, Kept, PluginError, Verdict},
    respond::Error,
};

use super::{
    chain::{Passage, Source, Stop},
    decode::Decoder,
};

/// The longest chunk that a filter is shown at once, in bytes: a call has a
/// deadline, and how much comes in one read is not the filter's choice.
const LONGEST_CHUNK: usize = 32 * 1024;

/// One filter, or a coding that is undone for one.
#[derive(Debug)]
pub(super) struct Stage {
    /// The filter's step.
    pub(super) position: usize,
    pub(super) work: Work,
    /// What has come for it and was too long to be shown at once.
    rest: Option<Piece>,
}

impl Stage {
    pub(super) fn new(position: usize, work: Work) -> Self {
        Self {
            position,
            work,
            rest: None,
        }
    }

    /// Forgets what has come.
    pub(super) fn clear(&mut self) {
        self.rest = None;
    }
}

#[derive(Debug)]
pub(super) enum Work {
    Decode(Decoder),
    Stream(Stream),
    Buffer(Buffer),
}

/// A filter that sees the body as it streams by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// Nothing has come yet.
    Fresh,
    /// The instance, and its number of the body.
    Open { instance: u64, stream: u64 },
    /// The filter has seen all that it wants to see.
    Over,
}

/// A filter that sees the body whole.
#[derive(Debug)]
pub(super) enum Buffer {
    Gathering(BytesMut, Option<Kept>),
    /// All of it is here, and the filter, which may wait or takes long, is still
    /// to be shown it.
    Whole(Piece, Option<Kept>),
    /// What such a filter has made of it.
    Seen(Piece),
    Over,
}

/// The next part that comes out of the last of some stages.
pub(super) fn pull(
    side: Side,
    stages: &mut [Stage],
    passage: &mut Passage<'_>,
    source: &mut Source<'_>,
) -> Poll<Result<Piece, Stop>> {
    let Some((stage, before)) = stages.split_last_mut() else {
        return source().map_err(Stop::Error);
    };
    let position = stage.position;
    loop {
        match &mut stage.work {
            Work::Decode(decoder) => match decoder.next() {
                Ok(Some(piece)) => return Poll::Ready(Ok(piece)),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(Error::Coding(side).into())),
            },
            Work::Buffer(buffer) => {
                if let Some(seen) = buffer.seen()? {
                    return Poll::Ready(Ok(seen));
                }
            }
            Work::Stream(_) => {}
        }
        let mut piece = match stage.rest.take() {
            Some(rest) => rest,
            None => ready!(pull(side, before, passage, source))?,
        };
        match &mut stage.work {
            Work::Decode(decoder) => decoder.feed(piece),
            Work::Stream(Stream::Over) | Work::Buffer(Buffer::Over) => {
                return Poll::Ready(Ok(piece));
            }
            Work::Stream(stream) => {
                stage.rest = piece.split_behind(LONGEST_CHUNK);
                stream.pass(side, position, passage, &mut piece)?;
                if piece.end || !piece.bytes.is_empty() {
                    return Poll::Ready(Ok(piece));
                }
            }
            Work::Buffer(buffer) => {
                if let Some(whole) = buffer.gather(side, position, passage, piece)? {
                    return Poll::Ready(Ok(whole));
                }
            }
        }
    }
}

impl Stream {
    /// Shows a part to the filter, which may change it.
    fn pass(
        &mut self,
        side: Side,
        position: usize,
        passage: &mut Passage<'_>,
        piece: &mut Piece,
    ) -> Result<(), Stop> {
        // Should it fail and the step says `skip`, the part goes on as it came.
        let untouched = piece.clone();
        let known = *self;
        let mut now = known;
        let verdict = passage.call(position, of_chunks(side), |instance, exchange| {
            let stream = match known {
                Self::Open {
                    instance: of,
                    stream,
                } if of == instance.serial() => stream,
                // Whoever has seen the beginning is gone.
                Self::Open { .. } => return Err(instance.lost_stream()),
                Self::Fresh | Self::Over => instance.open_stream(),
            };
            let instance_serial = instance.serial();
            now = Self::Open {
                instance: instance_serial,
                stream,
            };
            instance.on_chunk(side, exchange, stream, piece)
        });
        *self = match (&verdict, piece.end) {
            (Ok(ChunkVerdict::Pass), false) => now,
            _ => Self::Over,
        };
        match verdict {
            Ok(ChunkVerdict::Pass | ChunkVerdict::PassRest) => Ok(()),
            Ok(ChunkVerdict::Respond) => Err(passage.answered(position)),
            Err(error) => passage.failed(position, error).map(|()| *piece = untouched),
        }
    }
}

impl Buffer {
    /// What a filter that may wait has made of the body, once.
    fn seen(&mut self) -> Result<Option<Piece>, Stop> {
        match std::mem::replace(self, Self::Over) {
            Self::Seen(piece) => Ok(Some(piece)),
            whole @ Self::Whole(..) => {
                *self = whole;
                Err(Stop::Waits)
            }
            other => {
                *self = other;
                Ok(None)
            }
        }
    }

    /// Shows the whole body to a filter that may wait, if it is here.
    pub(super) async fn show(
        &mut self,
        side: Side,
        position: usize,
        passage: &mut Passage<'_>,
    ) -> Result<(), Stop> {
        let (mut whole, kept) = match std::mem::replace(self, Self::Over) {
            Self::Whole(whole, kept) => (whole, kept),
            other => {
                *self = other;
                return Ok(());
            }
        };
        let untouched = whole.clone();
        let step = &passage.pipeline.steps[position];
        let (run, exchange) = (&mut *passage.run, &mut *passage.exchange);
        let verdict = run
            .buffered_waiting(position, step, passage.slots, exchange, side, &mut whole)
            .await;
        drop(kept);
        *self = Self::Seen(match verdict {
            Ok(Verdict::Next) => whole,
            Ok(Verdict::Respond) => return Err(passage.answered(position)),
            Err(error) => passage.failed(position, error).map(|()| untouched)?,
        });
        Ok(())
    }

    pub(super) fn new() -> Self {
        Self::Gathering(BytesMut::new(), None)
    }

    /// Takes a part; with the last one the filter sees the whole.
    fn gather(
        &mut self,
        side: Side,
        position: usize,
        passage: &mut Passage<'_>,
        piece: Piece,
    ) -> Result<Option<Piece>, Stop> {
        let Self::Gathering(gathered, kept) = self else {
            return Ok(Some(piece));
        };
        let step = &passage.pipeline.steps[position];
        if piece.bytes.len() > step.body_buffer.saturating_sub(gathered.len()) {
            passage.slots.slot(step.slot).limited(Limit::BodyBuffer);
            return Err(Error::BufferFull(side).into());
        }
        let slots = passage.slots;
        let slot = slots.slot(step.slot);
        if !piece.bytes.is_empty() {
            kept.get_or_insert_with(|| slot.configured().keep())
                .grow(piece.bytes.len())
                .map_err(|Full| Error::PluginBusy)?;
        }
        let bytes = match piece.end && gathered.is_empty() {
            true => piece.bytes,
            false => {
                gathered.extend_from_slice(&piece.bytes);
                if !piece.end {
                    return Ok(None);
                }
                gathered.split().freeze()
            }
        };
        let mut whole = Piece { bytes, ..piece };
        // Until the filter has seen it.
        let kept = kept.take();
        if step.waits || slot.is_slow() {
            *self = Self::Whole(whole, kept);
            return Err(Stop::Waits);
        }
        *self = Self::Over;
        let untouched = whole.clone();
        let verdict = passage.call(position, of_whole(side), |instance, exchange| {
            instance.on_buffered(side, exchange, &mut whole)
        });
        drop(kept);
        match verdict {
            Ok(Verdict::Next) => Ok(Some(whole)),
            Ok(Verdict::Respond) => Err(passage.answered(position)),
            Err(error) => passage.failed(position, error).map(|()| Some(untouched)),
        }
    }
}

impl Passage<'_> {
    fn call<T>(
        &mut self,
        position: usize,
        hook: Hook,
        call: impl FnOnce(&mut Instance, &mut Box<Exchange>) -> Result<T, PluginError>,
    ) -> Result<T, Error> {
        let step = &self.pipeline.steps[position];
        self.run
            .call_apart(position, step, self.slots, self.exchange, hook, call)
    }

    /// A filter gives an answer in its body hook.
    fn answered(&mut self, position: usize) -> Stop {
        self.pipeline.steps[position].metrics.answered();
        self.run.stopped_at(position);
        match self.exchange.answer.take() {
            Some(answer) => Stop::Answer(Box::new(answer)),
            None => Stop::Error(Error::Plugin),
        }
    }

    /// A filter has failed: passes if its step says that this does not matter.
    fn failed(&self, position: usize, error: Error) -> Result<(), Stop> {
        match self.pipeline.steps[position].on_error {
            OnError::Skip => Ok(()),
            OnError::Fail => Err(error.into()),
        }
    }
}

/// The hook of bodies that stream by.
fn of_chunks(side: Side) -> Hook {
    match side {
        Side::Request => Hook::RequestBody,
        Side::Response => Hook::ResponseBody,
    }
}

/// The hook of bodies that are seen whole.
pub(super) fn of_whole(side: Side) -> Hook {
    match side {
        Side::Request => Hook::RequestBuffered,
        Side::Response => Hook::ResponseBuffered,
    }
}
