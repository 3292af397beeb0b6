//! HTTP/2 frame by frame (RFC 9113 §4.1): what a library would refuse to send.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::Wire;

/// The kinds of frames that tests look at.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// Flags.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The longest a test waits for bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client's side of a connection.
pub(crate) struct Frames {
    stream: TcpStream,
}

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    /// Connects, and sends the preface and settings without any.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let mut frames = Self { stream };
        frames.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        frames
    }

    /// The service's side of a connection that was just opened: reads the preface, and
    /// sends settings without any.
    pub(crate) fn of(wire: Wire) -> Self {
        let stream = wire.behind(24);
        let mut frames = Self { stream };
        frames.raw(b"\0\0\0\x04\0\0\0\0\0");
        frames
    }

    /// Sends bytes; a connection that is closed is for `next` to find.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&frame(kind, flags, stream, payload));
    }

    /// The next frame; none when the other side has closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload,
        })
    }

    /// The kind of the next frame; a ping is answered.
    pub(crate) fn next_or_pong(&mut self) -> Option<u8> {
        let frame = self.next()?;
        if frame.kind == PING && frame.flags & ACK == 0 {
            self.send(PING, ACK, 0, &frame.payload);
        }
        Some(frame.kind)
    }

    /// Whether nothing comes, and nobody closes, for so long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        let limit = |stream: &TcpStream, limit| stream.set_read_timeout(Some(limit));
        limit(&self.stream, time).expect("a socket");
        let silent = matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        limit(&self.stream, PATIENCE).expect("a socket");
        silent
    }

    /// The next frame of a kind; none when the other side closes before.
    pub(crate) fn next_of(&mut self, kind: u8) -> Option<Frame> {
        std::iter::from_fn(|| self.next()).find(|frame| frame.kind == kind)
    }
}

impl Frame {
    /// The settings in it, by number.
    pub(crate) fn settings(&self) -> Vec<(u16, u32)> {
        let each = self.payload.chunks_exact(6);
        each.map(|of| {
            let number = u16::from_be_bytes([of[0], of[1]]);
            (number, u32::from_be_bytes([of[2], of[3], of[4], of[5]]))
        })
        .collect()
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Fields as HPACK writes them without its tables (RFC 7541 §6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).expect("short"));
            assert!(text.len() < 127, "longer texts take another form");
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}
