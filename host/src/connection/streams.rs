//! The streams of a connection that are open, and since when there is none.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::proxy::ResponseBody;

/// How many streams of a connection are open.
pub(super) struct Streams {
    open: Cell<usize>,
    /// When the last one ended.
    idle_since: Cell<Instant>,
}

/// One open stream: from its request to the end of its response.
pub(super) struct OpenStream(Rc<Streams>);

impl Streams {
    /// None so far.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            open: Cell::new(0),
            idle_since: Cell::new(now),
        }
    }

    pub(super) fn open(self: &Rc<Self>) -> OpenStream {
        self.open.update(|open| open + 1);
        OpenStream(Rc::clone(self))
    }

    /// Since when there is no open stream; none if there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.open.get() == 0).then(|| self.idle_since.get())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let Self(streams) = self;
        streams.open.update(|open| open - 1);
        if streams.open.get() == 0 {
            streams.idle_since.set(Instant::now());
        }
    }
}

/// A response's body that keeps its stream open.
pub(super) struct Tracked {
    body: ResponseBody,
    _open: OpenStream,
}

impl Tracked {
    pub(super) fn new(body: ResponseBody, open: OpenStream) -> Self {
        Self { body, _open: open }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
