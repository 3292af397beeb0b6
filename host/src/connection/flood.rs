//! Reads along the frames of HTTP/2 that a client sends (RFC 9113 §4.1), counts
//! those that make work and carry nothing, and notes where a head has not come
//! whole.
//!
//! The HTTP library answers every PING and SETTINGS and takes every empty DATA;
//! how many come is for the gateway to bound (§10.5).
//!
//! What a client is sent makes up for frames of its own: a window is given again
//! for each part of a body, and messages of a byte are answered by messages. So a
//! stream both ways is no flood, however small its messages are.
//!
//! And what is none yet comes in turns, so that others have theirs.

#[cfg(test)]
mod tests;
mod turn;

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turn::Turn;

use super::{
    hpack::Targets,
    pulse::{Awaited, Pulse},
};
use crate::{config::Http2Limits, observe::Refused};

/// The length of what a client begins with (RFC 9113 §3.4).
const PREFACE: u32 = 24;

/// The time in which frames are counted.
const WHILE: Duration = Duration::from_secs(10);

/// Bytes to the client that make up for one frame of its own: who is sent much
/// has reason to say so, and to measure how fast it comes.
const MAKES_UP: usize = 1 << 10;

/// Frames that one part of a body to the client makes up for: two windows, of
/// its stream and of all, and a PING that measures how fast it comes.
const PART_MAKES_UP: u32 = 3;

/// How many times the bound may be made up for in advance: windows of many parts
/// may be given again at once.
const IN_ADVANCE: i64 = 16;

/// Bytes of a body below which its frame is small: more than half of it is its own
/// head. The shortest message of gRPC has five besides what it says.
const SMALL: u32 = 9;

/// The most that may be padding of a frame which has any (RFC 9113 §6.1), with the
/// byte that says how much it is.
const PADDING: u32 = 256;

/// A PING on a stream, which there is not: stands in for what a flood would go on
/// with, so that the library ends the connection with GOAWAY.
const STAND_IN: &[u8] = b"\0\0\x08\x06\0\0\0\0\x01portcull";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
const END_HEADERS: u8 = 4;

/// How many of a kind came lately, of those that are not made up for.
#[derive(Debug)]
struct Rate {
    /// Below zero: so many are made up for that have not come yet.
    count: i64,
    most: i64,
    since: Instant,
}

impl Rate {
    fn new(most: u32) -> Self {
        Self {
            count: 0,
            most: most.into(),
            since: Instant::now(),
        }
    }

    /// One more. True if that makes too many. The clock is looked at only once in
    /// the most that may come.
    fn is_flood(&mut self) -> bool {
        self.count += 1;
        if self.count < self.most {
            return false;
        }
        let now = Instant::now();
        self.count = 0;
        now - std::mem::replace(&mut self.since, now) < WHILE
    }

    /// So many are made up for.
    fn made_up(&mut self, frames: u32) {
        let least = -IN_ADVANCE * self.most;
        self.count = (self.count - i64::from(frames)).max(least);
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
    small: Rate,
    flood: Option<Refused>,
    turn: Rc<Turn>,
}

impl Frames {
    /// At the beginning of a connection.
    pub(super) fn new(limits: &Http2Limits) -> Self {
        Self {
            head: [0; 9],
            length: 0,
            rest: PREFACE,
            body: false,
            fields: false,
            targets: Targets::new(),
            in_fields: false,
            whole: false,
            empty: Rate::new(limits.control_frames),
            resets: Rate::new(limits.control_frames),
            small: Rate::new(limits.small_frames),
            flood: None,
            turn: Rc::new(Turn::new()),
        }
    }

    /// Looks at what comes next. Fewer bytes than there are: a flood, that began
    /// before what is left, or the end of a turn.
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
            } else if self.length == 0 && (self.flood.is_some() || self.turn.is_over()) {
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
        let small = match flags & PADDED {
            0 => SMALL,
            _ => SMALL + PADDING,
        };
        let flood = match kind {
            DATA if self.rest >= small => {
                // Some write a message's length in a frame of its own.
                self.small.made_up(1);
                None
            }
            DATA if flags & END_STREAM != 0 => None,
            DATA if self.rest > 0 => self.small.is_flood().then_some(Refused::SmallFrames),
            RST_STREAM => self.resets.is_flood().then_some(Refused::Resets),
            HEADERS => {
                // A request makes up for what clients say beside it.
                self.empty.made_up(2);
                None
            }
            _ => self.empty.is_flood().then_some(Refused::ControlFrames),
        };
        if self.fields {
            self.in_fields = flags & END_HEADERS == 0;
            let flags = if kind == HEADERS { flags } else { 0 };
            self.targets.frame(flags, self.rest);
        }
        self.flood = self.flood.or(flood);
        self.turn.frame(if self.fields { self.rest } else { 0 });
    }

    /// The client was sent so many parts of bodies, and so many KiB in all.
    fn sent(&mut self, parts: u32, kib: u32) {
        self.empty.made_up(parts.saturating_mul(PART_MAKES_UP));
        self.empty.made_up(kib);
        self.small.made_up(parts);
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
    /// What was read, and is for another turn.
    later: Bytes,
    /// Bytes to the client that have not made up for anything yet.
    sent: usize,
    /// What is left of the stand-in. None: there is no flood.
    stand_in: Option<&'static [u8]>,
}

impl<T> Counted<T> {
    pub(super) fn new(stream: T, pulse: &Rc<Pulse>) -> Self {
        Self {
            stream,
            frames: Frames::new(&pulse.limits().http2),
            pulse: Rc::clone(pulse),
            later: Bytes::new(),
            sent: 0,
            stand_in: None,
        }
    }

    /// Looks at what was read, from this place on, and keeps what is not to be handed
    /// on in this turn.
    fn look(&mut self, buffer: &mut ReadBuf<'_>, from: usize) {
        let read = &mut buffer.filled_mut()[from..];
        let good = self.frames.feed(read);
        match self.later.is_empty() {
            true => self.later = Bytes::copy_from_slice(&read[good..]),
            false => self.later.advance(good),
        }
        if self.later.is_empty() {
            // What is left of it would hold its memory.
            self.later = Bytes::new();
        }
        buffer.set_filled(from + good);
    }

    /// To be told whenever the connection's task is polled.
    pub(super) fn turn(&self) -> Rc<Turn> {
        Rc::clone(&self.frames.turn)
    }

    fn wrote(&mut self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = written {
            self.sent += count;
            let kib = self.sent / MAKES_UP;
            self.sent %= MAKES_UP;
            let kib = u32::try_from(kib).unwrap_or(u32::MAX);
            self.frames.sent(self.pulse.take_parts(), kib);
        }
    }
}

/// Hands on what is left of a stand-in; then the connection seems to be over.
fn hand_on(left: &mut &'static [u8], buffer: &mut ReadBuf<'_>) {
    let (now, later) = left.split_at(left.len().min(buffer.remaining()));
    buffer.put_slice(now);
    *left = later;
}

impl<T: AsyncRead + Unpin> Counted<T> {
    /// What was kept of the last turn, or else what the client has sent since.
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.later.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let count = self.later.len().min(buffer.remaining());
        buffer.put_slice(&self.later[..count]);
        Poll::Ready(Ok(()))
    }
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
        ready!(this.frames.turn.poll(cx));
        let before = buffer.filled().len();
        let read = this.read(cx, buffer);
        if read.is_pending() {
            this.pulse.awaits(this.frames.awaited());
        }
        ready!(read)?;
        this.look(buffer, before);
        if this.frames.targets.take_found() {
            this.pulse.refused(Refused::Path);
        }
        if std::mem::take(&mut this.frames.whole) {
            this.pulse.awaits(Awaited::Nothing);
        }
        if !this.later.is_empty()
            && let Some(why) = this.frames.flood
        {
            this.pulse.refused(why);
            this.later = Bytes::new();
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
