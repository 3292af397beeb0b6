//! Where an HTTP/1.1 message ends (RFC 9112 §6), and the little of its head
//! that origin and load generators look at.
//!
//! Works on whole messages in a buffer and keeps no state: a caller asks again
//! when it has read more. Refuses a response that ends with its connection,
//! since nobody could tell a whole one from half of one.

use std::{io, ops::Range};

/// The longest head, or line of a chunked body, that is read.
const LONGEST_HEAD: usize = 64 * 1024;

/// Which side sent the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
}

/// One whole message at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Bytes of the head, with the empty line.
    pub(crate) head: usize,
    /// Bytes of head and body.
    pub(crate) length: usize,
    /// The status of a response; 0 for a request.
    pub(crate) status: u16,
    /// Whether the sender closes the connection after it.
    pub(crate) closes: bool,
}

/// The message that a buffer begins with; `None` if more must be read first.
///
/// # Errors
///
/// `InvalidData` if it is no message, or one whose end cannot be known.
pub(crate) fn parse(kind: Kind, input: &[u8]) -> io::Result<Option<Message>> {
    let Some(head) = end_of(b"\r\n\r\n", input) else {
        return partial(input);
    };
    let status = match kind {
        Kind::Request => 0,
        Kind::Response => status(input)?,
    };
    let fields = Fields::read(&input[..head])?;
    let body = match (fields.chunked, fields.length) {
        (true, _) => chunked(&input[head..])?,
        (false, Some(length)) => Some(length),
        (false, None) if kind == Kind::Request || matches!(status, 204 | 304) => Some(0),
        (false, None) => return Err(malformed("a response without a length")),
    };
    let whole = body.map(|body| head.saturating_add(body));
    Ok(whole
        .filter(|length| *length <= input.len())
        .map(|length| Message {
            head,
            length,
            status,
            closes: fields.closes,
        }))
}

/// The header fields that say something of the message's end.
#[derive(Default)]
struct Fields {
    length: Option<usize>,
    chunked: bool,
    closes: bool,
}

impl Fields {
    fn read(head: &[u8]) -> io::Result<Self> {
        let mut fields = Self::default();
        for line in head.split(|byte| *byte == b'\n').skip(1) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                fields.length = Some(number(value, 10)?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                fields.chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                fields.closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        Ok(fields)
    }
}

fn status(input: &[u8]) -> io::Result<u16> {
    let digits = match input {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', rest @ ..] => rest.get(..3),
        _ => None,
    };
    let status = number(digits.unwrap_or_default(), 10)?;
    u16::try_from(status).map_err(|_| malformed("a status that is none"))
}

/// The length of a chunked body with its trailers; `None` if it is not all there.
fn chunked(body: &[u8]) -> io::Result<Option<usize>> {
    let mut at = 0;
    loop {
        let Some(line) = line(body, at)? else {
            return Ok(None);
        };
        let next = line.end + 2;
        let words = body[line].split(|byte| *byte == b';').next();
        let size = number(words.unwrap_or_default().trim_ascii(), 16)?;
        if size == 0 {
            return trailers(body, next);
        }
        let Some(end) = next.checked_add(size).and_then(|end| end.checked_add(2)) else {
            return Err(malformed("a chunk without end"));
        };
        if end > body.len() {
            return Ok(None);
        }
        at = end;
    }
}

/// The end of the trailers that begin at a place.
fn trailers(body: &[u8], mut at: usize) -> io::Result<Option<usize>> {
    while let Some(line) = line(body, at)? {
        at = line.end + 2;
        if line.is_empty() {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The line that begins at a place, without its end.
fn line(body: &[u8], at: usize) -> io::Result<Option<Range<usize>>> {
    let rest = body.get(at..).unwrap_or_default();
    match end_of(b"\r\n", rest) {
        Some(end) => Ok(Some(at..at + end - 2)),
        None => partial(rest),
    }
}

fn end_of(mark: &[u8], input: &[u8]) -> Option<usize> {
    let start = input
        .windows(mark.len())
        .position(|window| window == mark)?;
    Some(start + mark.len())
}

/// More must be read, unless it has been too much already.
fn partial<T>(input: &[u8]) -> io::Result<Option<T>> {
    if input.len() > LONGEST_HEAD {
        return Err(malformed("a head without end"));
    }
    Ok(None)
}

fn number(digits: &[u8], radix: u32) -> io::Result<usize> {
    let text = std::str::from_utf8(digits).ok();
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = digits.and_then(|digits| usize::from_str_radix(digits, radix).ok());
    number.ok_or_else(|| malformed("a number that is none"))
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &str = "HTTP/1.1 404 x\r\ntransfer-encoding: chunked\r\n\r\n\
        5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n";
    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    fn response(text: &str) -> io::Result<Option<Message>> {
        parse(Kind::Response, text.as_bytes())
    }

    #[test]
    fn a_message_is_whole_at_its_last_byte_and_not_before() {
        for (kind, text) in [
            (Kind::Response, FIXED),
            (Kind::Response, CHUNKED),
            (Kind::Request, REQUEST),
        ] {
            for end in 0..text.len() {
                let half = parse(kind, &text.as_bytes()[..end]).unwrap();
                assert_eq!(half, None, "{:?}", &text[..end]);
            }
            let whole = parse(kind, text.as_bytes()).unwrap().unwrap();
            assert_eq!(whole.length, text.len(), "{text:?}");
        }
    }

    #[test]
    fn several_responses_in_one_read_are_told_apart() {
        let input = [FIXED, CHUNKED, FIXED].concat();
        let mut rest = &*input;
        let mut seen = Vec::new();
        while let Some(message) = response(rest).unwrap() {
            seen.push((message.status, message.length));
            rest = &rest[message.length..];
        }
        let expected = [(200, FIXED.len()), (404, CHUNKED.len()), (200, FIXED.len())];
        assert_eq!((&*seen, rest), (&expected[..], ""));
    }

    #[test]
    fn a_sender_that_closes_is_noticed() {
        let message = parse(Kind::Request, REQUEST.as_bytes()).unwrap().unwrap();
        assert!(message.closes);
        assert!(!response(FIXED).unwrap().unwrap().closes);
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for text in [
            "HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            &"x".repeat(LONGEST_HEAD + 1),
        ] {
            assert!(response(text).is_err(), "{:.60?}", text);
        }
    }
}
