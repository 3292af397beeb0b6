//! Between the filters of a body and the connection that it goes out on: both
//! on one thread, and never more than one part on its way.

use std::{
    cell::RefCell,
    collections::VecDeque,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::exchange::Piece;

use super::BodyError;

/// Makes both ends. `length`: of the whole body in bytes, if that is known.
pub fn pipe(length: Option<u64>) -> (Sender, Piped) {
    let shared = Rc::new(RefCell::new(Shared {
        length,
        ..Shared::default()
    }));
    (Sender(Rc::clone(&shared)), Piped(shared))
}

#[derive(Debug, Default)]
struct Shared {
    frames: VecDeque<Frame<Bytes>>,
    length: Option<u64>,
    ended: bool,
    failed: Option<BodyError>,
    /// The other end is gone.
    closed: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

/// Where parts are put in.
#[derive(Debug)]
pub struct Sender(Rc<RefCell<Shared>>);

impl Sender {
    /// Waits until there is nothing on its way: false if nobody takes anything
    /// any more.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut shared = self.0.borrow_mut();
        match (shared.closed, shared.frames.is_empty()) {
            (true, _) => Poll::Ready(false),
            (false, true) => Poll::Ready(true),
            (false, false) => {
                shared.sender = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Puts a part in.
    pub fn send(&self, piece: Piece) {
        let mut shared = self.0.borrow_mut();
        if !piece.bytes.is_empty() {
            shared.frames.push_back(Frame::data(piece.bytes));
        }
        if let Some(trailers) = piece.trailers {
            shared.frames.push_back(Frame::trailers(trailers));
        }
        shared.ended |= piece.end;
        shared.wake_receiver();
    }

    /// Breaks the body off.
    pub fn fail(&self, error: BodyError) {
        let mut shared = self.0.borrow_mut();
        shared.failed = Some(error);
        shared.wake_receiver();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        if !shared.ended && shared.failed.is_none() {
            shared.failed = Some(BodyError::Filter);
        }
        shared.wake_receiver();
    }
}

impl Shared {
    fn wake_receiver(&mut self) {
        if let Some(waker) = self.receiver.take() {
            waker.wake();
        }
    }
}

/// A body that comes out of filters.
#[derive(Debug)]
pub struct Piped(Rc<RefCell<Shared>>);

impl Body for Piped {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.0.borrow_mut();
        if let Some(error) = shared.failed {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(frame) = shared.frames.pop_front() {
            if let Some(waker) = shared.sender.take() {
                waker.wake();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        if shared.ended {
            return Poll::Ready(None);
        }
        shared.receiver = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.0.borrow();
        shared.ended && shared.frames.is_empty() && shared.failed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.borrow().length {
            Some(length) => SizeHint::with_exact(length),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let mut shared = self.0.borrow_mut();
        shared.closed = true;
        shared.frames.clear();
        if let Some(waker) = shared.sender.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn piece(bytes: &'static [u8], end: bool) -> Piece {
        Piece {
            bytes: Bytes::from_static(bytes),
            end,
            trailers: None,
        }
    }

    #[test]
    fn a_part_leaves_before_the_next_is_let_in() {
        let cx = &mut Context::from_waker(Waker::noop());
        let (sender, mut piped) = pipe(None);
        assert_eq!(sender.poll_room(cx), Poll::Ready(true));
        sender.send(piece(b"one", false));
        assert!(sender.poll_room(cx).is_pending());
        assert!(matches!(
            Pin::new(&mut piped).poll_frame(cx),
            Poll::Ready(Some(Ok(_)))
        ));
        assert_eq!(sender.poll_room(cx), Poll::Ready(true));
        assert!(Pin::new(&mut piped).poll_frame(cx).is_pending());
        sender.send(piece(b"", true));
        assert!(piped.is_end_stream());
        drop(piped);
        assert_eq!(sender.poll_room(cx), Poll::Ready(false));
    }

    #[test]
    fn a_body_whose_filters_are_gone_is_broken_and_not_at_its_end() {
        let cx = &mut Context::from_waker(Waker::noop());
        let (sender, mut piped) = pipe(None);
        sender.send(piece(b"one", false));
        drop(sender);
        let frame = Pin::new(&mut piped).poll_frame(cx);
        assert!(matches!(frame, Poll::Ready(Some(Err(BodyError::Filter)))));
    }
}
