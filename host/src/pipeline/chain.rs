//! A body on its way through the filters that look at it.
//!
//! The last filter is asked for a part of the body, it asks the one before, and
//! the first asks the source: what nobody has taken yet is not read, so a slow
//! receiver stops the sender. Filters without hooks of bodies are not here, and a
//! part that a filter lets pass is not copied.

use std::{
    collections::VecDeque,
    task::{Poll, ready},
};

use crate::{
    exchange::{Answer, Exchange, Piece, Side, Wish},
    respond::Error,
};

use super::{
    Pipeline, Run, Slots,
    decode::Decoder,
    stage::{Buffer, Stage, Stream, Work, pull},
};

/// Where the parts of a body come from.
pub type Source<'a> = dyn FnMut() -> Poll<Result<Piece, Error>> + 'a;

/// What the filters of a request work with.
pub struct Passage<'a> {
    /// How far the request has come.
    pub run: &'a mut Run,
    /// Its filters.
    pub pipeline: &'a Pipeline,
    /// This worker's instances.
    pub slots: &'a Slots,
    /// The request and its response.
    pub exchange: &'a mut Box<Exchange>,
}

/// Why a body does not go on.
#[derive(Debug)]
pub enum Stop {
    /// It broke, was too long, or a filter failed.
    Error(Error),
    /// A filter answers instead.
    Answer(Box<Answer>),
    /// A filter that may wait is to be shown the body: `Chain::show`. Only while
    /// the chain holds the head.
    Waits,
}

impl Stop {
    /// The error that it is. A filter that is to be shown a body whose head has
    /// left, or that answers then, has failed.
    pub fn error(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Answer(_) | Self::Waits => Error::Plugin,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The filters that look at one body, in the order in which it passes them.
#[derive(Debug)]
pub struct Chain {
    side: Side,
    stages: Vec<Stage>,
    /// What has come out of the last and was not taken yet.
    ready: VecDeque<Piece>,
    /// Whether the head waits for what comes out.
    holds_head: bool,
    changes: bool,
    /// The last part has come out.
    ended: bool,
}

impl Chain {
    /// The filters that see a body of a side; none if no filter does. Of a
    /// response those before `until` do.
    pub fn new(pipeline: &Pipeline, exchange: &Exchange, side: Side, until: usize) -> Option<Self> {
        if !pipeline.sees_body(side) && exchange.wishes.is_empty() {
            return None;
        }
        let mut chain = Self {
            side,
            stages: Vec::new(),
            ready: VecDeque::new(),
            holds_head: false,
            changes: false,
            ended: false,
        };
        let mut positions: Vec<usize> = (0..until.min(pipeline.steps.len())).collect();
        if side == Side::Response {
            positions.reverse();
        }
        for position in positions {
            chain.add(pipeline, exchange, position);
        }
        (!chain.stages.is_empty() || chain.holds_head).then_some(chain)
    }

    fn add(&mut self, pipeline: &Pipeline, exchange: &Exchange, position: usize) {
        let step = &pipeline.steps[position];
        let mut skips = false;
        for wish in exchange.wishes(position, self.side) {
            match wish {
                Wish::Skip => skips = true,
                Wish::HoldHead => self.holds_head = true,
                Wish::Decode(coding) => {
                    self.changes = true;
                    let work = Work::Decode(Decoder::new(coding));
                    self.stages.push(Stage::new(position, work));
                }
            }
        }
        if skips {
            return;
        }
        let works = [
            (step.hooks.streams(self.side)).then_some(Work::Stream(Stream::Fresh)),
            (step.hooks.buffers(self.side)).then(|| Work::Buffer(Buffer::new())),
        ];
        for work in works.into_iter().flatten() {
            self.changes |= step.reads.changes_bodies;
            self.stages.push(Stage::new(position, work));
        }
    }

    /// Whether the body may come out other than it went in.
    pub fn changes(&self) -> bool {
        self.changes
    }

    /// Whether the head is to wait for more of the body: a filter wants to see
    /// it whole, or has asked for that.
    pub fn holds(&self) -> bool {
        let gathers = |stage: &Stage| match &stage.work {
            Work::Buffer(buffer) => !matches!(buffer, Buffer::Over),
            Work::Decode(_) | Work::Stream(_) => false,
        };
        !self.ended && (self.stages.iter().any(gathers) || self.holds_head && self.ready.is_empty())
    }

    /// The length of the whole body, if all of it is here. Trailers come behind
    /// chunks only, so one that has some is not given a length.
    pub fn length(&self) -> Option<u64> {
        let trailers = self.ready.iter().any(|piece| piece.trailers.is_some());
        let length = || self.ready.iter().map(|piece| piece.bytes.len() as u64);
        (self.ended && !trailers).then(|| length().sum())
    }

    /// Whether all of it was taken.
    pub fn is_over(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// Lets one more part come out, and keeps it.
    pub fn poll_hold(
        &mut self,
        passage: &mut Passage<'_>,
        source: &mut Source<'_>,
    ) -> Poll<Result<(), Stop>> {
        let piece = ready!(self.poll_out(passage, source))?;
        self.ready.push_back(piece);
        Poll::Ready(Ok(()))
    }

    /// Shows the body to the filters that may wait for others, and for which all
    /// of it is here. If the future is dropped, the body is lost.
    ///
    /// # Errors
    ///
    /// A filter failed, or answers instead.
    pub async fn show(&mut self, passage: &mut Passage<'_>) -> Result<(), Stop> {
        for stage in &mut self.stages {
            if let Work::Buffer(buffer) = &mut stage.work {
                buffer.show(self.side, stage.position, passage).await?;
            }
        }
        Ok(())
    }

    /// The next part of what comes out. Not to be called when it is over.
    pub fn poll_next(
        &mut self,
        passage: &mut Passage<'_>,
        source: &mut Source<'_>,
    ) -> Poll<Result<Piece, Stop>> {
        match self.ready.pop_front() {
            Some(piece) => Poll::Ready(Ok(piece)),
            None => self.poll_out(passage, source),
        }
    }

    fn poll_out(
        &mut self,
        passage: &mut Passage<'_>,
        source: &mut Source<'_>,
    ) -> Poll<Result<Piece, Stop>> {
        let piece = ready!(pull(self.side, &mut self.stages, passage, source))?;
        self.ended = piece.end;
        Poll::Ready(Ok(piece))
    }

    /// Begins anew with the body of an answer that a filter gave instead of the
    /// response, which the filters before it are still to see.
    pub fn restart(&mut self, passage: &mut Passage<'_>) {
        self.abandon(passage);
        let until = passage.run.body_until();
        self.stages.retain(|stage| stage.position < until);
        for stage in &mut self.stages {
            stage.clear();
            match &mut stage.work {
                Work::Stream(stream) => *stream = Stream::Fresh,
                Work::Buffer(buffer) => *buffer = Buffer::new(),
                Work::Decode(_) => {}
            }
        }
        // The answer is plain.
        self.stages
            .retain(|stage| !matches!(stage.work, Work::Decode(_)));
        self.ready.clear();
        self.ended = false;
    }

    /// Tells filters that have seen the beginning of the body that there will be
    /// no end.
    pub fn abandon(&mut self, passage: &mut Passage<'_>) {
        for stage in &mut self.stages {
            let Work::Stream(Stream::Open { instance, stream }) = stage.work else {
                continue;
            };
            stage.work = Work::Stream(Stream::Over);
            let step = &passage.pipeline.steps[stage.position];
            passage.run.tell(stage.position, step, passage.slots, |of| {
                match of.serial() == instance {
                    true => of.on_dropped(self.side, stream),
                    false => Ok(()),
                }
            });
        }
    }
}
