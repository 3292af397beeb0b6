//! What a filter answers in place of the upstream.

use std::{
    collections::VecDeque,
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

/// An answer that a filter gives in place of the upstream's.
#[derive(Debug)]
pub struct Answer {
    /// 200 to 599.
    pub status: StatusCode,
    /// Validated header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it is there.
    Whole(Bytes),
    /// It comes in parts, one after the other.
    Parts(Parts),
}

/// Why a part did not come to its end.
pub type Broken = Box<dyn Error + Send + Sync>;

/// One part of a body.
#[derive(Debug)]
pub enum Part {
    /// These bytes.
    Bytes(Bytes),
    /// What another body still has. Its trailers are left out.
    Rest(UnsyncBoxBody<Bytes, Broken>),
}

/// Parts that are sent one after the other, as they come.
///
/// # Errors
///
/// Fails where one of them does: what follows it is not sent.
#[derive(Debug)]
pub struct Parts(VecDeque<Part>);

impl Parts {
    /// Parts in this order; empty ones are nothing.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let empty = |part: &Part| matches!(part, Part::Bytes(bytes) if bytes.is_empty());
        Self(parts.into_iter().filter(|part| !empty(part)).collect())
    }
}

impl<B: Into<Bytes>> From<B> for AnswerBody {
    fn from(bytes: B) -> Self {
        Self::Whole(bytes.into())
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let frame = match self.0.front_mut() {
                None => return Poll::Ready(None),
                Some(Part::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.0.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Part::Rest(rest)) => ready!(Pin::new(rest).poll_frame(cx)),
            };
            match frame {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.0.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => drop(self.0.pop_front()),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    /// Known if that of every part is.
    fn size_hint(&self) -> SizeHint {
        let exact = |part: &Part| match part {
            Part::Bytes(bytes) => Some(bytes.len() as u64),
            Part::Rest(rest) => rest.size_hint().exact(),
        };
        let sum = self
            .0
            .iter()
            .try_fold(0_u64, |sum, part| sum.checked_add(exact(part)?));
        sum.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http_body_util::{BodyExt, Full};

    use super::*;

    /// A body that does as it is told, and whose length nobody knows.
    struct Told(VecDeque<Polled>);

    type Polled = Poll<Option<Result<Frame<Bytes>, Broken>>>;

    impl Body for Told {
        type Data = Bytes;
        type Error = Broken;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
            self.0.pop_front().unwrap_or(Poll::Ready(None))
        }
    }

    fn next(parts: &mut Parts) -> Poll<Option<Result<Bytes, String>>> {
        let polled = Pin::new(parts).poll_frame(&mut Context::from_waker(Waker::noop()));
        polled.map(|frame| {
            let frame = frame?.map(|frame| frame.into_data().expect("data"));
            Some(frame.map_err(|error| error.to_string()))
        })
    }

    fn ready(bytes: &'static str) -> Poll<Option<Result<Bytes, String>>> {
        Poll::Ready(Some(Ok(bytes.into())))
    }

    #[test]
    fn parts_follow_one_another_and_their_length_is_known_if_that_of_each_is() {
        let full = || {
            Full::from("two")
                .map_err(|never| match never {})
                .boxed_unsync()
        };
        let mut parts = Parts::new([
            Part::Bytes("one".into()),
            Part::Bytes(Bytes::new()),
            Part::Rest(full()),
            Part::Bytes("six".into()),
        ]);
        assert_eq!(parts.size_hint().exact(), Some(9));
        for expected in ["one", "two", "six"] {
            assert!(!parts.is_end_stream());
            assert_eq!(next(&mut parts), ready(expected));
        }
        assert!(parts.is_end_stream());
        assert_eq!(next(&mut parts), Poll::Ready(None));
        let unknown = Told(VecDeque::new()).boxed_unsync();
        let parts = Parts::new([Part::Rest(unknown), Part::Bytes("a".into())]);
        assert_eq!(parts.size_hint().exact(), None);
    }

    #[test]
    fn what_breaks_off_in_the_middle_is_no_end() {
        let told = Told(VecDeque::from([
            Poll::Pending,
            Poll::Ready(Some(Ok(Frame::data("one".into())))),
            Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Poll::Ready(Some(Err("it broke".into()))),
        ]));
        let behind = Part::Bytes("behind it".into());
        let mut parts = Parts::new([Part::Rest(told.boxed_unsync()), behind]);
        assert!(next(&mut parts).is_pending());
        assert_eq!(next(&mut parts), ready("one"));
        assert_eq!(next(&mut parts), Poll::Ready(Some(Err("it broke".into()))));
        assert_eq!(next(&mut parts), Poll::Ready(None));
    }
}
