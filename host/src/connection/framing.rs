//! Reads along what a client sends over HTTP/1.1, and says where it could be
//! read in two ways (RFC 9112 §2.2, §3, §5, §6, §7).
//!
//! Strict where the HTTP library is lenient: whoever stands before or behind the
//! gateway may be lenient in another way, and then a request could be hidden in
//! another's body. Knows where messages begin and end, and nothing else of them.

mod characters;
#[cfg(any(test, fuzzing))]
pub(crate) mod proof;
mod target;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use characters::{all, is_content, is_token, trimmed};

/// The longest line that says a chunk's size, extensions included, in bytes.
const LONGEST_CHUNK_LINE: usize = 1 << 10;

/// What is said of a head that has more than it may have, and is otherwise good.
pub(super) const TOO_LARGE: &str = "the head is over the limit";

/// What a head may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// So many bytes.
    pub(super) bytes: usize,
    /// So many fields.
    pub(super) fields: usize,
}

/// How far some bytes may be handed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fed {
    /// Bytes that may.
    pub(super) good: usize,
    /// Heads that end within them.
    pub(super) heads: u64,
    /// What comes after them.
    pub(super) then: Then,
}

/// What comes after bytes that may be handed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing, or what cannot be judged before more has come: the beginning of
    /// a head.
    More,
    /// A head that is refused; says why.
    BadHead(&'static str),
    /// A body that breaks off here; says why.
    BadBody(&'static str),
}

/// Where in a connection's messages the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Framing {
    /// Before a head, or within it.
    #[default]
    Head,
    /// So many bytes before the end of a body.
    Body(u64),
    /// In the line that says the size of a chunk.
    ChunkLine(ChunkLine),
    /// So many bytes before the end of a chunk.
    Chunk(u64),
    /// Before the line's end that follows a chunk, of which so much has come.
    ChunkEnd(u8),
    /// In a line behind the last chunk, of which so much has come.
    Trailer { length: usize, cr: bool },
    /// Behind a head that asks to change to another protocol: what the next bytes
    /// are is not known before it is answered.
    Waits,
    /// This is not HTTP/1.1 any more.
    Other,
}

/// What is passed over before a request.
const EMPTY_LINE: &[u8] = b"\r\n";

/// What HTTP/2 begins with (RFC 9113 §3.4). The library knows it only as a whole.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The line that says the size of a chunk, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ChunkLine {
    size: u64,
    digits: u8,
    length: usize,
    extension: bool,
    cr: bool,
}

impl Framing {
    /// Looks at the bytes that come next. Those after the good ones are to be
    /// shown again, together with what follows them.
    pub(super) fn feed(&mut self, bytes: &[u8], most: Most) -> Fed {
        let (mut good, mut heads) = (0, 0);
        while good < bytes.len() {
            let rest = &bytes[good..];
            let step = match self {
                Self::Head => match self.head(rest, most) {
                    ControlFlow::Continue(0) => break,
                    ControlFlow::Continue(length) => {
                        heads += u64::from(length > EMPTY_LINE.len());
                        Ok(length)
                    }
                    ControlFlow::Break(why) => {
                        let then = Then::BadHead(why);
                        return Fed { good, heads, then };
                    }
                },
                Self::Body(left) | Self::Chunk(left) => {
                    let length = usize::try_from(*left).map_or(rest.len(), |n| n.min(rest.len()));
                    *left -= length as u64;
                    match (*left, &*self) {
                        (0, Self::Body(_)) => *self = Self::Head,
                        (0, _) => *self = Self::ChunkEnd(0),
                        _ => {}
                    }
                    Ok(length)
                }
                Self::ChunkLine(line) => line.feed(rest[0]).map(|size| {
                    match size {
                        Some(0) => {
                            *self = Self::Trailer {
                                length: 0,
                                cr: false,
                            }
                        }
                        Some(size) => *self = Self::Chunk(size),
                        None => {}
                    }
                    1
                }),
                Self::ChunkEnd(seen) => match (*seen, rest[0]) {
                    (0, b'\r') => {
                        *seen = 1;
                        Ok(1)
                    }
                    (1, b'\n') => {
                        *self = Self::ChunkLine(ChunkLine::default());
                        Ok(1)
                    }
                    _ => Err("a chunk is not followed by a line's end"),
                },
                Self::Trailer { .. } => self.trailer(rest[0]),
                Self::Waits => break,
                Self::Other => Ok(rest.len()),
            };
            match step {
                Ok(length) => good += length,
                Err(why) => {
                    let then = Then::BadBody(why);
                    return Fed { good, heads, then };
                }
            }
        }
        let then = Then::More;
        Fed { good, heads, then }
    }

    /// One head, if all of it is here: its length; 0 if it is not.
    fn head(&mut self, bytes: &[u8], most: Most) -> ControlFlow<&'static str, usize> {
        // An empty line before a request is passed over (RFC 9112 §2.2).
        if bytes.starts_with(EMPTY_LINE) {
            return ControlFlow::Continue(EMPTY_LINE.len());
        }
        if bytes.first() == PREFACE.first() {
            if bytes.starts_with(PREFACE) {
                *self = Self::Other;
                return ControlFlow::Continue(PREFACE.len());
            }
            if PREFACE.starts_with(bytes) {
                return ControlFlow::Continue(0);
            }
        }
        let mut facts = Facts::default();
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[begin..end];
            let Some(line) = line.strip_suffix(b"\r") else {
                return ControlFlow::Break("a line ends without a carriage return");
            };
            match (begin, line) {
                (0, line) => facts.request_line(line)?,
                (_, []) => {
                    if facts.fields > most.fields || end >= most.bytes {
                        return ControlFlow::Break(TOO_LARGE);
                    }
                    *self = facts.body()?;
                    return ControlFlow::Continue(end + 1);
                }
                (_, line) => {
                    facts.fields += 1;
                    facts.field(line)?;
                }
            }
            begin = end + 1;
        }
        ControlFlow::Continue(0)
    }

    /// One byte behind the last chunk. What trailer fields may be is checked
    /// where they pass; here the lines are.
    fn trailer(&mut self, byte: u8) -> Result<usize, &'static str> {
        let Self::Trailer { length, cr } = self else {
            return Ok(0);
        };
        match (byte, *cr) {
            (b'\n', true) if *length == 0 => *self = Self::Head,
            (b'\n', true) => (*length, *cr) = (0, false),
            (b'\n', false) => return Err("a line of the trailers ends without a carriage return"),
            (_, true) | (0, _) => return Err("a line of the trailers has a control character"),
            (b' ' | b'\t', _) if *length == 0 => return Err("a trailer field is folded"),
            (b'\r', false) => *cr = true,
            (_, false) => *length += 1,
        }
        Ok(1)
    }
}

impl ChunkLine {
    /// One byte more. The size, if it was the last (RFC 9112 §7.1).
    fn feed(&mut self, byte: u8) -> Result<Option<u64>, &'static str> {
        const MALFORMED: &str = "a chunk's size is malformed";
        self.length += 1;
        if self.length > LONGEST_CHUNK_LINE {
            return Err("a chunk's extensions are too long");
        }
        match byte {
            b'\n' if self.cr && self.digits > 0 => return Ok(Some(self.size)),
            _ if self.cr || byte == b'\n' => return Err(MALFORMED),
            b'\r' => self.cr = true,
            b'\t' | b' '..=b'~' | 0x80.. if self.extension => {}
            b';' if self.digits > 0 => self.extension = true,
            _ => {
                let digit = char::from(byte).to_digit(16).ok_or(MALFORMED)?;
                // Sixteen digits are all that a size can have.
                if self.digits == 16 {
                    return Err(MALFORMED);
                }
                self.digits += 1;
                self.size = self.size << 4 | u64::from(digit);
            }
        }
        Ok(None)
    }
}

/// What of a head says how its body is framed.
#[derive(Default)]
struct Facts {
    fields: usize,
    old: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Facts {
    fn request_line(&mut self, line: &[u8]) -> ControlFlow<&'static str> {
        const MALFORMED: &str = "the request line is malformed";
        // The first byte that no method has is the space behind it.
        let end = line.iter().position(|byte| !is_token(*byte));
        let (method, rest) = line.split_at(end.unwrap_or(0));
        let rest = rest.strip_prefix(b" ").unwrap_or_default();
        let space = memchr::memchr(b' ', rest);
        let (Some(space), false) = (space, method.is_empty()) else {
            return ControlFlow::Break(MALFORMED);
        };
        let (target, version) = (&rest[..space], &rest[space + 1..]);
        self.old = version == b"HTTP/1.0";
        if !self.old && version != b"HTTP/1.1" {
            return ControlFlow::Break(match version.contains(&b' ') {
                true => MALFORMED,
                false => "the version of HTTP is not 1.0 or 1.1",
            });
        }
        target::form(method, target)
    }

    fn field(&mut self, line: &[u8]) -> ControlFlow<&'static str> {
        if matches!(line[0], b' ' | b'\t') {
            return ControlFlow::Break("a header field is folded");
        }
        // The first byte that no name has is the colon behind it.
        let end = line.iter().position(|byte| !is_token(*byte));
        let (name, rest) = line.split_at(end.unwrap_or(0));
        let (false, Some(value)) = (name.is_empty(), rest.strip_prefix(b":")) else {
            return ControlFlow::Break(match line.contains(&b':') {
                true => "a header field's name is malformed",
                false => "a header field has no colon",
            });
        };
        let value = trimmed(value);
        if !all(value, is_content) {
            return ControlFlow::Break("a header field has a control character");
        }
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = !self.old;
                ControlFlow::Continue(())
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                match !self.chunked && value.eq_ignore_ascii_case(b"chunked") {
                    true => self.chunked = true,
                    false => {
                        return ControlFlow::Break("Transfer-Encoding is not exactly one chunked");
                    }
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// One number, without a sign, a list or leading zeros (RFC 9110 §8.6).
    fn content_length(&mut self, value: &[u8]) -> ControlFlow<&'static str> {
        let digits = value.iter().all(u8::is_ascii_digit);
        let canonical = digits && (value == b"0" || !value.starts_with(b"0"));
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse().ok());
        match (canonical, number, self.length) {
            (true, Some(length), None) => {
                self.length = Some(length);
                ControlFlow::Continue(())
            }
            (true, Some(_), Some(_)) => {
                ControlFlow::Break("there is more than one Content-Length header")
            }
            _ => ControlFlow::Break("Content-Length is malformed"),
        }
    }

    /// What follows the head.
    fn body(&self) -> ControlFlow<&'static str, Framing> {
        match (self.chunked, self.length) {
            (true, Some(_)) => {
                ControlFlow::Break("Content-Length and Transfer-Encoding contradict each other")
            }
            (true, None) if self.old => {
                ControlFlow::Break("HTTP/1.0 does not have Transfer-Encoding")
            }
            (true, None) => ControlFlow::Continue(Framing::ChunkLine(ChunkLine::default())),
            (false, None | Some(0)) if self.upgrade => ControlFlow::Continue(Framing::Waits),
            (false, None | Some(0)) => ControlFlow::Continue(Framing::Head),
            (false, Some(length)) => ControlFlow::Continue(Framing::Body(length)),
        }
    }
}
