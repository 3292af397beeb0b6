//! One call, as the plugin that made it holds it; and what is left of its
//! answer, on the way to a client.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::body::Writer;

use super::Error;

/// The most that one read gives, in bytes.
const LARGEST_READ: usize = 64 << 10;

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields, those of one connection left out.
    pub headers: HeaderMap,
    /// Bytes of the body, if that is known beforehand.
    pub(super) length: Option<u64>,
}

/// What comes of a call, in this order: a head, data, an end.
#[derive(Debug)]
pub(super) enum Event {
    Head(Head),
    Data(Bytes),
    End(HeaderMap),
}

/// What the two sides of a call tell each other besides.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Why there are no more events, if that is no end.
    pub(super) error: OnceLock<Error>,
    /// The answer goes to a client: it may take as long as it takes.
    pub(super) handed_on: AtomicBool,
}

/// One call in flight. Dropping it breaks it off: its connection is closed.
///
/// Nothing comes faster than it is taken: one part of either body is on its way
/// at a time.
#[derive(Debug)]
pub struct Call {
    events: mpsc::Receiver<Event>,
    link: Arc<Link>,
    writer: Option<Writer>,
    /// Bytes of the answer's body that may still be read.
    most: u64,
    next: Option<Event>,
    head: Option<Head>,
    /// What is left of the body, if that is known.
    left: Option<u64>,
    end: Option<Result<HeaderMap, Error>>,
}

impl Call {
    pub(super) fn new(
        events: mpsc::Receiver<Event>,
        link: Arc<Link>,
        writer: Option<Writer>,
        most: u64,
    ) -> Self {
        Self {
            events,
            link,
            writer,
            most,
            next: None,
            head: None,
            left: None,
            end: None,
        }
    }

    /// The end that writes the request's body; none once it was finished, or if
    /// there is nothing to write.
    pub fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    /// Ends the request's body; does nothing if it has ended.
    pub fn finish(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.finish();
        }
    }

    /// Why the call failed, if it has.
    pub fn error(&self) -> Option<Error> {
        self.link.error.get().copied()
    }

    /// Ready once there is a head, a part, an end or an error to take.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.next.is_none() && self.end.is_none() {
            match ready!(self.events.poll_recv(cx)) {
                Some(event) => self.next = Some(event),
                // Whoever leaves without a word has broken off.
                None => self.end = Some(Err(self.error().unwrap_or(Error::Broken))),
            }
        }
        Poll::Ready(())
    }

    /// The answer's head; the same one again if it was asked for before.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<&Head, Error>> {
        if self.head.is_none() {
            ready!(self.poll_ready(cx));
            match (self.next.take(), &self.end) {
                (Some(Event::Head(head)), _) => {
                    self.left = head.length;
                    self.head = Some(head);
                }
                (_, Some(Err(error))) => return Poll::Ready(Err(*error)),
                // Not in this order.
                _ => return Poll::Ready(Err(Error::Broken)),
            }
        }
        Poll::Ready(self.head.as_ref().ok_or(Error::Broken))
    }

    /// The next bytes of the answer's body, 64 KiB at most and never none; none
    /// at its end. Waits for the head before.
    ///
    /// # Errors
    ///
    /// `TooLarge` if there are more than may be read; the rest is not.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        ready!(self.poll_head(cx))?;
        Poll::Ready(match ready!(self.poll_part(cx, LARGEST_READ)) {
            Ok(Some(bytes)) => match self.most.checked_sub(bytes.len() as u64) {
                Some(most) => {
                    self.most = most;
                    Ok(Some(bytes))
                }
                None => {
                    // The other side reads why it is left.
                    let _ = self.link.error.set(Error::TooLarge);
                    self.events.close();
                    self.next = None;
                    self.end = Some(Err(Error::TooLarge));
                    Err(Error::TooLarge)
                }
            },
            other => other,
        })
    }

    /// The trailer fields, once the body's end was read.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.end.as_ref()?.as_ref().ok()
    }

    /// What has not been read yet of the answer's body, for a client. From now on
    /// neither its size nor its time is bounded by what the plugin may take.
    pub fn into_rest(self) -> Rest {
        self.link.handed_on.store(true, Ordering::Release);
        Rest(self)
    }

    fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        largest: usize,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        ready!(self.poll_ready(cx));
        let bytes = match (self.next.take(), &self.end) {
            (Some(Event::Data(mut bytes)), _) => {
                if bytes.len() > largest {
                    self.next = Some(Event::Data(bytes.split_off(largest)));
                }
                bytes
            }
            (Some(Event::End(trailers)), _) => {
                self.end = Some(Ok(trailers));
                return Poll::Ready(Ok(None));
            }
            (None, Some(end)) => {
                let ended = end.as_ref().map(|_| None);
                return Poll::Ready(ended.map_err(|error| *error));
            }
            _ => return Poll::Ready(Err(Error::Broken)),
        };
        self.left = self
            .left
            .map(|left| left.saturating_sub(bytes.len() as u64));
        Poll::Ready(Ok(Some(bytes)))
    }
}

/// What is left of the body of an answer, on its way to a client. Dropping it
/// breaks the call off.
#[derive(Debug)]
pub struct Rest(Call);

impl Body for Rest {
    type Data = Bytes;
    type Error = Error;

    /// Its trailers are left out: there may be more parts behind it.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let call = &mut self.0;
        if let Err(error) = ready!(call.poll_head(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let part = ready!(call.poll_part(cx, usize::MAX));
        Poll::Ready(part.transpose().map(|part| part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0.end, Some(Ok(_)))
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    struct Other(mpsc::Sender<Event>, Arc<Link>);

    fn call(most: u64) -> (Call, Other) {
        let (sender, receiver) = mpsc::channel(8);
        let link = Arc::new(Link::default());
        let call = Call::new(receiver, Arc::clone(&link), None, most);
        (call, Other(sender, link))
    }

    impl Other {
        fn says(&self, event: Event) {
            self.0.try_send(event).expect("room");
        }

        fn answers(&self, length: Option<u64>, parts: &[&'static [u8]]) {
            self.says(Event::Head(Head {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                length,
            }));
            for part in parts {
                self.says(Event::Data(Bytes::from_static(part)));
            }
        }
    }

    fn read(call: &mut Call) -> Poll<Result<Option<Bytes>, Error>> {
        call.poll_read(&mut Context::from_waker(Waker::noop()))
    }

    fn some(bytes: &'static [u8]) -> Poll<Result<Option<Bytes>, Error>> {
        Poll::Ready(Ok(Some(Bytes::from_static(bytes))))
    }

    #[test]
    fn an_answer_is_read_part_by_part_to_its_end() {
        let (mut call, other) = call(100);
        assert!(read(&mut call).is_pending());
        other.answers(None, &[b"one", b"two"]);
        assert_eq!(read(&mut call), some(b"one"));
        assert_eq!(read(&mut call), some(b"two"));
        assert!(read(&mut call).is_pending() && call.trailers().is_none());
        other.says(Event::End(HeaderMap::new()));
        for _ in 0..2 {
            assert_eq!(read(&mut call), Poll::Ready(Ok(None)));
        }
        assert!(call.trailers().is_some());
    }

    #[test]
    fn a_large_part_is_given_in_pieces() {
        let (mut call, other) = call(1 << 20);
        static LARGE: [u8; LARGEST_READ + 1] = [b'x'; LARGEST_READ + 1];
        other.answers(None, &[&LARGE]);
        for expected in [LARGEST_READ, 1] {
            let Poll::Ready(Ok(Some(bytes))) = read(&mut call) else {
                panic!("there is more");
            };
            assert_eq!(bytes.len(), expected);
        }
    }

    #[test]
    fn what_breaks_off_is_an_error_and_not_an_end() {
        for (said, expected) in [
            (None, Error::Broken),
            (Some(Error::Timeout), Error::Timeout),
        ] {
            let (mut call, other) = call(100);
            other.answers(Some(6), &[b"one"]);
            if let Some(error) = said {
                other.1.error.set(error).expect("is not set");
            }
            drop(other);
            assert_eq!(read(&mut call), some(b"one"));
            for _ in 0..2 {
                assert_eq!(read(&mut call), Poll::Ready(Err(expected)));
            }
        }
    }

    #[test]
    fn more_than_may_be_read_is_not_and_breaks_the_call_off() {
        let (mut call, other) = call(5);
        other.answers(None, &[b"one", b"two", b"x"]);
        assert_eq!(read(&mut call), some(b"one"));
        for _ in 0..2 {
            assert_eq!(read(&mut call), Poll::Ready(Err(Error::TooLarge)));
        }
        assert!(other.0.is_closed());
    }

    #[test]
    fn the_rest_is_what_was_not_read_whatever_its_size() {
        let (mut call, other) = call(3);
        other.answers(Some(9), &[b"one", b"two", b"six"]);
        assert_eq!(read(&mut call), some(b"one"));
        let mut rest = call.into_rest();
        assert!(other.1.handed_on.load(Ordering::Acquire));
        assert_eq!(rest.size_hint().exact(), Some(6));
        let mut cx = Context::from_waker(Waker::noop());
        let mut next = || {
            let frame = Pin::new(&mut rest).poll_frame(&mut cx);
            frame
                .map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().expect("data"))))
        };
        assert_eq!(next(), Poll::Ready(Some(Ok("two".into()))));
        assert_eq!(next(), Poll::Ready(Some(Ok("six".into()))));
        assert!(next().is_pending());
        drop(other);
        assert_eq!(next(), Poll::Ready(Some(Err(Error::Broken))));
    }
}
