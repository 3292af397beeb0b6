//! The hooks that see bodies.

use bytes::{Bytes, BytesMut};
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use crate::exchange::{Exchange, Piece, Side};

use super::{
    super::{PluginError, PluginErrorKind as Kind, data::Hook, wit},
    Instance, Verdict, enter,
};

/// What a filter decided about a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkVerdict {
    /// What it made of the chunk goes on.
    Pass,
    /// That goes on, and the rest of the body without the filter.
    PassRest,
    /// Send the exchange's `answer`, which is there.
    Respond,
}

impl Instance {
    /// Tells instances of one plugin apart, the new from those they replace.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The number of a body that begins, which no other of the instance has.
    pub fn open_stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams
    }

    /// The error of a body whose beginning another instance has seen, which
    /// failed since.
    pub fn lost_stream(&self) -> PluginError {
        self.error(
            Kind::Unavailable,
            "has lost the beginning of a body: it failed on another request since",
        )
    }

    /// Hands over a chunk of a body, and takes what the filter makes of it.
    ///
    /// # Errors
    ///
    /// The plugin failed. The piece is empty then.
    pub fn on_chunk(
        &mut self,
        side: Side,
        exchange: &mut Box<Exchange>,
        stream: u64,
        piece: &mut Piece,
    ) -> Result<ChunkVerdict, PluginError> {
        let Some(function) = self.functions.bodies[side as usize].on_chunk else {
            return Ok(ChunkVerdict::PassRest);
        };
        let parameters = (stream, length(piece), piece.end);
        let hook = Hook::Chunk(side);
        exchange.answer = None;
        let verdict = self.lend(hook, exchange, piece, function, parameters);
        let written = self.store.data_mut().written.take();
        let answered = exchange.answer.is_some();
        let verdict = match verdict {
            Ok((wit::ChunkVerdict::Respond,)) if answered => return Ok(ChunkVerdict::Respond),
            Ok((verdict,)) => verdict,
            Err(error) => {
                exchange.answer = None;
                return Err(error);
            }
        };
        exchange.answer = None;
        match verdict {
            wit::ChunkVerdict::Pass => {
                put_before(written, piece);
                Ok(ChunkVerdict::Pass)
            }
            wit::ChunkVerdict::PassRest => {
                put_before(written, piece);
                Ok(ChunkVerdict::PassRest)
            }
            // Its length may have been promised.
            wit::ChunkVerdict::Replace if !self.changes_bodies => Err(self.error(
                Kind::Nonsense,
                "said `replace`, and does not import `write`",
            )),
            wit::ChunkVerdict::Replace => {
                piece.bytes = written.map(Bytes::from).unwrap_or_default();
                Ok(ChunkVerdict::Pass)
            }
            wit::ChunkVerdict::Respond => {
                Err(self.error(Kind::Nonsense, "said `respond` without an answer"))
            }
            wit::ChunkVerdict::Fail => Err(self.error(Kind::Fail, "said that it failed")),
        }
    }

    /// Says that a body which had begun will not come to its end.
    ///
    /// # Errors
    ///
    /// The plugin failed.
    pub fn on_dropped(&mut self, side: Side, stream: u64) -> Result<(), PluginError> {
        let Some(function) = self.functions.bodies[side as usize].on_dropped else {
            return Ok(());
        };
        self.guarded(self.call_ticks, |store, waits| {
            enter(store, waits, function, (stream,))
        })
    }

    /// Hands over a whole body, and takes what the filter makes of it. With
    /// `Respond`, the exchange has an answer.
    ///
    /// # Errors
    ///
    /// The plugin failed. The piece is empty then.
    pub fn on_buffered(
        &mut self,
        side: Side,
        exchange: &mut Box<Exchange>,
        piece: &mut Piece,
    ) -> Result<Verdict, PluginError> {
        let Some(function) = self.functions.bodies[side as usize].on_buffered else {
            return Ok(Verdict::Next);
        };
        exchange.answer = None;
        let parameters = (length(piece),);
        let said = self.lend(Hook::Buffered(side), exchange, piece, function, parameters);
        self.take_written(piece);
        self.judge(exchange, said)
    }

    /// The same for an instance that may wait.
    ///
    /// Not cancel safe: if the future is dropped, the exchange is back in its
    /// place, the body is lost, and the instance is poisoned.
    ///
    /// # Errors
    ///
    /// The plugin failed. The piece is empty then.
    pub async fn on_buffered_waiting(
        &mut self,
        side: Side,
        exchange: &mut Box<Exchange>,
        piece: &mut Piece,
    ) -> Result<Verdict, PluginError> {
        let Some(function) = self.functions.bodies[side as usize].on_buffered else {
            return Ok(Verdict::Next);
        };
        exchange.answer = None;
        let parameters = (length(piece),);
        let data = self.store.data_mut();
        data.written = None;
        data.piece = std::mem::take(piece);
        let hook = Hook::Buffered(side);
        let said = self
            .call_waiting(hook, exchange, function, parameters)
            .await;
        *piece = std::mem::take(&mut self.store.data_mut().piece);
        self.take_written(piece);
        self.judge(exchange, said)
    }

    /// What was written is the body.
    fn take_written(&mut self, piece: &mut Piece) {
        if let Some(written) = self.store.data_mut().written.take() {
            piece.bytes = written.into();
        }
    }

    /// Lends a piece together with the exchange.
    fn lend<P, R>(
        &mut self,
        hook: Hook,
        exchange: &mut Box<Exchange>,
        piece: &mut Piece,
        function: TypedFunc<P, R>,
        parameters: P,
    ) -> Result<R, PluginError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let data = self.store.data_mut();
        data.written = None;
        data.piece = std::mem::take(piece);
        let result = self.call(hook, exchange, function, parameters);
        *piece = std::mem::take(&mut self.store.data_mut().piece);
        if result.is_err() {
            *piece = Piece::default();
        }
        result
    }
}

fn length(piece: &Piece) -> u32 {
    u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX)
}

/// What was written goes first.
fn put_before(written: Option<Vec<u8>>, piece: &mut Piece) {
    if let Some(written) = written.filter(|written| !written.is_empty()) {
        let mut all = BytesMut::from(Bytes::from(written));
        all.extend_from_slice(&piece.bytes);
        piece.bytes = all.freeze();
    }
}
