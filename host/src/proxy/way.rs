//! One direction of a tunnel: what is read on one side is written on the other,
//! and nothing more is read before it was.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once, which is also all that is ever held.
const PART: usize = 16 << 10;

/// Parts that are moved before others on the thread get their turn.
const TURN: usize = 32;

/// Which side broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Reader,
    Writer,
}

/// One direction of a tunnel.
#[derive(Debug)]
pub(super) struct Way {
    /// What was read and not written yet. Takes no memory while there is nothing:
    /// most tunnels are idle most of the time.
    held: BytesMut,
    unflushed: bool,
    ended: bool,
    over: bool,
}

impl Way {
    /// One that begins with what was read already.
    pub(super) fn new(read: &[u8]) -> Self {
        Self {
            held: BytesMut::from(read),
            unflushed: false,
            ended: false,
            over: false,
        }
    }

    /// Moves what can be moved, and counts it in `moved`. Ready when the reader's
    /// end was handed on, or a side broke off.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        moved: &mut u64,
    ) -> Poll<Result<(), Broken>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..TURN {
            ready!(self.poll_held(cx, writer, moved))?;
            if self.ended {
                let shut = ready!(Pin::new(&mut *writer).poll_shutdown(cx));
                self.over = true;
                return Poll::Ready(shut.map_err(|_| Broken::Writer));
            }
            let mut bytes = [const { MaybeUninit::uninit() }; PART];
            let mut part = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut *reader).poll_read(cx, &mut part) {
                Poll::Ready(Ok(())) if part.filled().is_empty() => self.ended = true,
                Poll::Ready(Ok(())) => self.write(cx, writer, part.filled(), moved)?,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Reader)),
                Poll::Pending => return self.poll_flush(cx, writer),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is held.
    fn poll_held<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
        moved: &mut u64,
    ) -> Poll<Result<(), Broken>> {
        while !self.held.is_empty() {
            let wrote = ready!(Pin::new(&mut *writer).poll_write(cx, &self.held));
            let count = wrote.and_then(some).map_err(|_| Broken::Writer)?;
            self.held.advance(count);
            self.unflushed = true;
            *moved += count as u64;
            if self.held.is_empty() {
                self.held = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes a part as far as it goes at once, and holds the rest.
    fn write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
        part: &[u8],
        moved: &mut u64,
    ) -> Result<(), Broken> {
        let count = match Pin::new(writer).poll_write(cx, part) {
            Poll::Ready(wrote) => wrote.and_then(some).map_err(|_| Broken::Writer)?,
            Poll::Pending => 0,
        };
        self.unflushed |= count > 0;
        *moved += count as u64;
        self.held.extend_from_slice(&part[count..]);
        Ok(())
    }

    /// While there is nothing to read what was written leaves.
    fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
    ) -> Poll<Result<(), Broken>> {
        if self.unflushed {
            match Pin::new(writer).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Writer)),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }
}

/// A writer that takes nothing takes nothing any more.
fn some(count: usize) -> io::Result<usize> {
    match count {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_not_taken_is_not_read() {
        let (mut sender, mut reader) = duplex(1 << 20);
        let (mut writer, mut receiver) = duplex(1_000);
        sender.write_all(&[7; 300_000]).await.expect("room");
        let mut way = Way::new(b"early");
        let cx = &mut Context::from_waker(Waker::noop());
        let mut moved = 0;
        for _ in 0..100 {
            let polled = way.poll(cx, &mut reader, &mut writer, &mut moved);
            assert!(polled.is_pending());
        }
        assert_eq!(moved, 1_000, "as much as was taken");
        assert!(way.held.len() <= PART, "{}", way.held.len());
        let mut early = [0; 5];
        receiver.read_exact(&mut early).await.expect("bytes");
        assert_eq!(&early, b"early");
        drop(sender);
        let mut rest = Vec::new();
        let moving = std::future::poll_fn(|cx| way.poll(cx, &mut reader, &mut writer, &mut moved));
        let (ended, read) = tokio::join!(moving, receiver.read_to_end(&mut rest));
        assert_eq!(ended, Ok(()));
        assert_eq!(read.expect("bytes"), 300_000);
        assert!(rest.iter().all(|byte| *byte == 7));
        assert_eq!((moved, way.held.capacity()), (300_005, 0));
    }

    #[tokio::test]
    async fn who_breaks_off_is_known() {
        let cx = &mut Context::from_waker(Waker::noop());
        let (mut sender, mut reader) = duplex(1_000);
        let (mut writer, receiver) = duplex(1_000);
        drop(receiver);
        sender.write_all(b"a").await.expect("room");
        let polled = Way::new(b"").poll(cx, &mut reader, &mut writer, &mut 0);
        assert_eq!(polled, Poll::Ready(Err(Broken::Writer)));
    }
}
