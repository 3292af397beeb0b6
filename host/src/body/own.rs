//! The body of a request that the gateway makes itself, for a plugin: whole, or
//! in parts as the plugin writes them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::BodyError;

/// A body that the gateway has, or gets from a plugin.
#[derive(Debug)]
pub enum Own {
    /// All of it. Empty once it is taken.
    Whole(Bytes),
    /// What a [`Writer`] is given.
    Parts(Parts),
}

/// The end that reads what a [`Writer`] is given.
#[derive(Debug)]
pub struct Parts {
    parts: mpsc::Receiver<Bytes>,
    finished: Arc<AtomicBool>,
}

/// The end that writes. Dropped before [`Writer::finish`] it breaks the body off.
#[derive(Debug)]
pub struct Writer {
    parts: mpsc::Sender<Bytes>,
    finished: Arc<AtomicBool>,
}

impl Own {
    /// A body in parts, of which one at most waits to be read.
    pub fn in_parts() -> (Writer, Self) {
        let (sender, receiver) = mpsc::channel(1);
        let finished = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            parts: sender,
            finished: Arc::clone(&finished),
        };
        let parts = Parts {
            parts: receiver,
            finished,
        };
        (writer, Self::Parts(parts))
    }
}

impl Writer {
    /// Where parts go: has room for one, and is closed when nobody reads any more.
    pub fn parts(&self) -> &mpsc::Sender<Bytes> {
        &self.parts
    }

    /// Ends the body.
    pub fn finish(self) {
        self.finished.store(true, Ordering::Release);
    }
}

impl Body for Own {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Self::Parts(body) => match ready!(body.parts.poll_recv(cx)) {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None if body.finished.load(Ordering::Acquire) => None,
                None => Some(Err(BodyError::Filter)),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Parts(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(body: &mut Own) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(body)
            .poll_frame(&mut cx)
            .map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().expect("data"))))
    }

    #[test]
    fn a_body_ends_where_its_writer_says_so_and_breaks_off_where_he_leaves() {
        let whole = &mut Own::Whole("all".into());
        assert_eq!(next(whole), Poll::Ready(Some(Ok("all".into()))));
        assert_eq!(next(whole), Poll::Ready(None));
        for (finishes, end) in [(true, None), (false, Some(Err(BodyError::Filter)))] {
            let (writer, mut body) = Own::in_parts();
            assert!(next(&mut body).is_pending());
            writer.parts().try_send("a".into()).expect("room for one");
            assert!(writer.parts().try_send("b".into()).is_err(), "and no more");
            match finishes {
                true => writer.finish(),
                false => drop(writer),
            }
            assert_eq!(next(&mut body), Poll::Ready(Some(Ok("a".into()))));
            assert_eq!(next(&mut body), Poll::Ready(end));
        }
    }
}
