//! How much of what a client has sent is handed on before others are looked at.
//!
//! The library reads frames for as long as there are any, and only then says which
//! requests they began: thousands of frames are milliseconds in which nobody else on
//! the worker is served, and fields of one byte are a hundred in its memory each
//! (RFC 7541 §6.1), for all the requests that came at once.

use std::{
    cell::Cell,
    pin::pin,
    task::{Context, Poll},
};

use tokio::task::yield_now;

/// Frames in one turn: more than the requests that may be taken back before anybody has
/// looked at them, and what takes them back.
pub(super) const FRAMES: u32 = 64;

/// Bytes of fields in one turn, but for the last head in it.
pub(super) const FIELDS: u32 = 4 << 10;

/// What is left of a connection's turn, which lasts for as long as its task is polled
/// once.
#[derive(Debug)]
pub(in crate::connection) struct Turn {
    frames: Cell<u32>,
    fields: Cell<u32>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self {
            frames: Cell::new(FRAMES),
            fields: Cell::new(FIELDS),
        }
    }

    /// Another begins: the connection's task is polled.
    pub(in crate::connection) fn begin(&self) {
        self.frames.set(FRAMES);
        self.fields.set(FIELDS);
    }

    /// A frame has begun that has so many bytes of fields.
    pub(super) fn frame(&self, fields: u32) {
        self.frames.update(|left| left.saturating_sub(1));
        self.fields.update(|left| left.saturating_sub(fields));
    }

    pub(super) fn is_over(&self) -> bool {
        self.frames.get() == 0 || self.fields.get() == 0
    }

    /// Pending where it is over: the task is polled again when others had their turn,
    /// and the system was asked what has come for them.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_over() {
            true => pin!(yield_now()).poll(cx),
            false => Poll::Ready(()),
        }
    }
}
