//! Reads along the frames of HTTP/2 that a client sends (RFC 9113 §4.1), counts
//! those that make work and carry nothing, and notes where a head has not come
//! whole.
//!
//! The HTTP library answers every PING and SETTINGS and takes every empty DATA;
//! how many come is for the gateway to bound (§10.5).

#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    hpack::Targets,
    pulse::{Awaited, Pulse},
};
use crate::observe::Refused;

/// The length of what a client begins with (RFC 9113 §3.4).
const PREFACE: u32 = 24;

/// The time in which frames are counted.
const WHILE: Duration = Duration::from_secs(10);

/// Bytes to the client that make up for one frame of its own: who is sent much
/// has reason to say so, and to measure how fast it comes.
const MAKES_UP: usize = 1 << 10;

/// A PING on a stream, which there is not: stands in for what a flood would go on
/// with, so that the library ends the connection with GOAWAY.
const STAND_IN: &[u8] = b"\0\0\x08\x06\0\0\0\0\x01portcull";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// How many of a kind came lately.
#[derive(Debug)]
struct Rate {
    count: u32,
    since: Instant,
}

impl Rate {
    /// One more. True if that makes too many. The clock is looked at only once in
    /// `most`.
    fn is_flood(&mut self, most: u32) -> bool {
        self.count += 1;
        if self.count < most {
            return false;
        }
        let now = Instant::now();
        self.count = 0;
        now - std::mem::replace(&mut self.since, now) < WHILE
    }
}

/// Where in its frames a client is, and what it has sent of late.
#[derive(Debug)]
pub(super) struct Frames {
    /// The beginning of a frame, as far as it has come.
    head: [u8; 9],
    length: usize,
    /// Bytes before the end of a frame, or of the preface.
    rest: u32,
    /// That frame is one of a body.
    body: bool,
    /// That frame is one of fields.
    fields: bool,
    targets: Targets,
    /// Fields are to come before anything else.
    in_fields: bool,
    /// A frame, or a head of several, has ended since this was asked.
    whole: bool,
    empty: Rate,
    resets: Rate,
    most: u32,
    flood: Option<Refused>,
}

impl Frames {
    /// At the beginning of a connection; `most` of the frames that carry nothing
    /// may come in ten seconds.
    pub(super) fn new(most: u32) -> Self {
        let rate = || Rate {
            count: 0,
            since: Instant::now(),
        };
        Self {
            head: [0; 9],
            length: 0,
            rest: PREFACE,
            body: false,
            fields: false,
            targets: Targets::new(),
            in_fields: false,
            whole: false,
            empty: rate(),
            resets: rate(),
            most,
            flood: None,
        }
    }

    /// Looks at what comes next. Fewer bytes than there are: a flood, that began
    /// before what is left.
    fn feed(&mut self, bytes: &mut [u8]) -> usize {
        let mut good = 0;
        while good < bytes.len() {
            let left = &mut bytes[good..];
            if self.rest > 0 {
                let step = usize::try_from(self.rest).map_or(left.len(), |n| n.min(left.len()));
                self.rest -= step as u32;
                good += step;
                if self.fields {
                    self.targets.feed(&mut left[..step]);
                }
            } else if self.length == 0 && self.flood.is_some() {
                return good;
            } else {
                let step = left.len().min(9 - self.length);
                self.head[self.length..self.length + step].copy_from_slice(&left[..step]);
                self.length += step;
                good += step;
                if self.length == 9 {
                    self.frame();
                }
            }
            self.whole |= self.is_between();
        }
        good
    }

    /// A frame has begun.
    fn frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.rest = u32::from_be_bytes([0, a, b, c]);
        self.length = 0;
        self.body = kind == DATA;
        self.fields = matches!(kind, HEADERS | CONTINUATION);
        let flood = match kind {
            DATA if self.rest > 0 || flags & END_STREAM != 0 => false,
            WINDOW_UPDATE => false,
            RST_STREAM => {
                if self.resets.is_flood(self.most) {
                    self.flood = Some(Refused::Resets);
                }
                return;
            }
            HEADERS | CONTINUATION => {
                self.in_fields = flags & END_HEADERS == 0;
                let flags = if kind == HEADERS { flags } else { 0 };
                self.targets.frame(flags, self.rest);
                // A request makes up for what clients say beside it.
                if kind == HEADERS {
                    self.made_up(2);
                }
                kind == CONTINUATION && self.empty.is_flood(self.most)
            }
            _ => self.empty.is_flood(self.most),
        };
        if flood {
            self.flood = Some(Refused::ControlFrames);
        }
    }

    /// So many frames are made up for.
    fn made_up(&mut self, frames: u32) {
        self.empty.count = self.empty.count.saturating_sub(frames);
    }

    fn is_between(&self) -> bool {
        self.rest == 0 && self.length == 0 && !self.in_fields
    }

    /// What the client is waited for.
    fn awaited(&self) -> Awaited {
        match self.is_between() || self.body && self.rest > 0 {
            true => Awaited::Nothing,
            false => Awaited::Head,
        }
    }
}

/// A connection of HTTP/2 whose frames are read along.
pub(super) struct Counted<T> {
    stream: T,
    frames: Frames,
    pulse: Rc<Pulse>,
    /// Bytes to the client that have not made up for anything yet.
    sent: usize,
    /// What is left of the stand-in. None: there is no flood.
    stand_in: Option<&'static [u8]>,
}

impl<T> Counted<T> {
    pub(super) fn new(stream: T, pulse: &Rc<Pulse>) -> Self {
        Self {
            stream,
            frames: Frames::new(pulse.limits().http2.control_frames),
            pulse: Rc::clone(pulse),
            sent: 0,
            stand_in: None,
        }
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            self.sent += count;
            let frames = self.sent / MAKES_UP;
            self.sent %= MAKES_UP;
            self.frames
                .made_up(u32::try_from(frames).unwrap_or(u32::MAX));
        }
    }
}

/// Hands on what is left of a stand-in; then the connection seems to be over.
fn hand_on(left: &mut &'static [u8], buffer: &mut ReadBuf<'_>) {
    let (now, later) = left.split_at(left.len().min(buffer.remaining()));
    buffer.put_slice(now);
    *left = later;
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(left) = &mut this.stand_in {
            hand_on(left, buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_pending() {
            this.pulse.awaits(this.frames.awaited());
        }
        ready!(read)?;
        let good = this.frames.feed(&mut buffer.filled_mut()[before..]);
        if this.frames.targets.take_found() {
            this.pulse.refused(Refused::Path);
        }
        if std::mem::take(&mut this.frames.whole) {
            this.pulse.awaits(Awaited::Nothing);
        }
        if good < buffer.filled().len() - before
            && let Some(why) = this.frames.flood
        {
            this.pulse.refused(why);
            buffer.set_filled(before + good);
            let mut left = STAND_IN;
            hand_on(&mut left, buffer);
            this.stand_in = Some(left);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
