//! A response's body that keeps its request open.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{pulse::OpenRequest, stall::Given};
use crate::proxy::ResponseBody;

/// A response's body that keeps its request open, and notes who has to move next:
/// the client, or whoever makes it.
pub(super) struct Tracked {
    body: ResponseBody,
    given: Option<Rc<Given>>,
    _open: OpenRequest,
}

impl Tracked {
    pub(super) fn new(body: ResponseBody, open: OpenRequest, given: Option<Rc<Given>>) -> Self {
        Self {
            body,
            given,
            _open: open,
        }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = <ResponseBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(given) = &self.given {
            given.asked(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
