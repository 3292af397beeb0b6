//! A response that keeps its request open: a body, or a tunnel over HTTP/2.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::InspectWriter;

use super::{pulse::OpenRequest, stall::Given};
use crate::proxy::ResponseBody;

/// A response's body that keeps its request open, and notes who has to move next:
/// the client, or whoever makes it.
pub(super) struct Tracked {
    body: ResponseBody,
    given: Option<Rc<Given>>,
    open: OpenRequest,
}

impl Tracked {
    pub(super) fn new(body: ResponseBody, open: OpenRequest, given: Option<Rc<Given>>) -> Self {
        Self { body, given, open }
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
            if let Poll::Ready(Some(Ok(_))) = &frame {
                self.open.pulse().gave_part();
            }
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

/// A stream that is HTTP no longer: each write is a part of what its connection
/// hands on.
pub(super) fn stream<T>(stream: T, open: OpenRequest) -> impl AsyncRead + AsyncWrite + Unpin
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    InspectWriter::new(stream, move |_: &[u8]| open.pulse().gave_part())
}
