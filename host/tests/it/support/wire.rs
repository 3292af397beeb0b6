//! One side of a connection, byte by byte: what an HTTP library would refuse
//! to send, or would hide.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Reply;

/// The longest a test waits for bytes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connected socket with what was read from it and not yet used.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    /// Connects to an address.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("a connection"))
    }

    /// Takes over a connected socket.
    pub(crate) fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// The socket behind its first so many bytes, of which none was read yet.
    #[track_caller]
    pub(crate) fn behind(mut self, count: usize) -> TcpStream {
        assert!(self.unread.is_empty(), "something was read already");
        let mut skipped = vec![0; count];
        self.stream.read_exact(&mut skipped).expect("so many bytes");
        self.stream
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the other side takes bytes");
    }

    /// Sends as many of the bytes as the other side takes before it has taken
    /// none for this long, and says how many.
    pub(crate) fn send_until_stalled(&mut self, bytes: &[u8], patience: Duration) -> usize {
        let limit = |stream: &TcpStream, limit| stream.set_write_timeout(limit);
        limit(&self.stream, Some(patience)).expect("a socket");
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("the other side is gone: {error}"),
            }
        }
        limit(&self.stream, None).expect("a socket");
        sent
    }

    /// A message's head, up to and with its empty line. Empty if the other
    /// side closed instead.
    #[track_caller]
    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head of text");
            }
            if !self.more() {
                return String::new();
            }
        }
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.more(), "closed before {count} bytes came");
        }
        self.unread.drain(..count).collect()
    }

    /// One byte; none when the other side ends.
    #[track_caller]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        if self.unread.is_empty() && !self.more() {
            return None;
        }
        Some(self.unread.remove(0))
    }

    /// Whether nothing comes, and nobody closes, for so long.
    pub(crate) fn is_silent_for(&mut self, time: Duration) -> bool {
        let limit = |stream: &TcpStream, limit| stream.set_read_timeout(Some(limit));
        limit(&self.stream, time).expect("a socket");
        let silent = matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        limit(&self.stream, PATIENCE).expect("a socket");
        silent && self.unread.is_empty()
    }

    /// Everything until the other side closes or breaks off.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.unread)
    }

    /// Reads until there is no more, and says whether the other side broke off
    /// rather than closed.
    pub(crate) fn is_broken_off(&mut self) -> bool {
        let mut buffer = [0; 1 << 16];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    /// The head of a response, its body still to come.
    #[track_caller]
    pub(crate) fn reply_head(&mut self) -> Reply {
        let head = self.head();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.unwrap_or_else(|| panic!("no response: {head:?}"));
        Reply {
            status: status.parse::<StatusCode>().expect("a status"),
            headers: lines.filter_map(field).collect::<HeaderMap>(),
            body: Bytes::new(),
        }
    }

    /// A whole response of known length.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = self.reply_head();
        let length = reply.header("content-length").parse().unwrap_or(0);
        reply.body = self.take(length).into();
        reply
    }

    /// One chunk of a chunked body; empty at its end.
    #[track_caller]
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let size = self.line();
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
        let data = self.take(size);
        assert_eq!(self.take(2), b"\r\n");
        data
    }

    /// One chunk of a body that may have trailers, of which nothing is read yet.
    #[track_caller]
    pub(crate) fn chunk_or_end(&mut self) -> Vec<u8> {
        let size = self.line();
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let data = self.take(size);
        if size > 0 {
            assert_eq!(self.take(2), b"\r\n");
        }
        data
    }

    /// Sends bytes, of which the other side may take some or none.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// One line, with its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line = self.unread.drain(..end + 2).collect();
                return String::from_utf8(line).expect("a line of text");
            }
            assert!(self.more(), "closed within a line");
        }
    }

    /// Reads more; false at the end.
    #[track_caller]
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("nothing came within {PATIENCE:?}")
            }
            Err(_broken) => false,
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn field(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = HeaderName::from_bytes(name.as_bytes()).expect("a field's name");
    let value = HeaderValue::from_str(value.trim()).expect("a field's value");
    Some((name, value))
}
