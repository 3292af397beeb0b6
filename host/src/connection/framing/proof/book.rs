//! A second reader of HTTP/1.1 (RFC 9112), for the proof alone: it has all bytes before
//! it, goes over them again and again, and takes the parts from the library's types.
//! What it has in common with the one that is under test is the RFC.

use http::{HeaderName, HeaderValue, Method, Uri, header};

use super::{
    super::{EMPTY_LINE, LONGEST_CHUNK_LINE, PREFACE},
    MOST,
};

/// How some bytes are read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Where a message may begin, behind another or behind an empty line.
    pub(super) begins: Vec<usize>,
    pub(super) heads: u64,
    pub(super) end: End,
}

/// How far they may be handed on, and why no further.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// All, or as far as a head that is not all there, or an upgrade.
    More(usize),
    /// A head is refused that begins here.
    BadHead(usize),
    /// A body breaks off, in the line that begins here.
    #[default]
    BadBody,
}

/// Why a line or a part is not read.
enum Stop {
    Short,
    Bad,
}

/// What follows a head.
enum Body {
    Length(u64),
    Chunks,
    Unknown,
}

/// Reads messages, one behind the other.
pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let mut at = 0;
    read.end = loop {
        let rest = &bytes[at..];
        if rest.starts_with(EMPTY_LINE) {
            at += EMPTY_LINE.len();
            read.begins.push(at);
            continue;
        }
        if rest.starts_with(PREFACE) {
            read.heads += 1;
            break End::More(bytes.len());
        }
        if PREFACE.starts_with(rest) {
            break End::More(at);
        }
        let (length, body) = match head(rest) {
            Ok(head) => head,
            Err(Stop::Short) => break End::More(at),
            Err(Stop::Bad) => break End::BadHead(at),
        };
        read.heads += 1;
        at += length;
        let body = match body {
            Body::Unknown => break End::More(at),
            Body::Length(length) => whole(length, &bytes[at..]),
            Body::Chunks => chunks(&bytes[at..]),
        };
        match body {
            Ok(length) => at += length,
            Err(Stop::Short) => break End::More(bytes.len()),
            Err(Stop::Bad) => break End::BadBody,
        }
        read.begins.push(at);
    };
    read
}

fn whole(length: u64, rest: &[u8]) -> Result<usize, Stop> {
    let length = usize::try_from(length).map_err(|_| Stop::Short)?;
    if length > rest.len() {
        Err(Stop::Short)
    } else {
        Ok(length)
    }
}

/// A line with its end, which is CR LF and nothing else. Bad as soon as what there is of
/// it is.
fn line(rest: &[u8], good: fn(&[u8]) -> bool) -> Result<&[u8], Stop> {
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return Err(Stop::Short);
    };
    match rest[..end].strip_suffix(b"\r") {
        Some(line) if good(line) => Ok(line),
        _ => Err(Stop::Bad),
    }
}

/// The length of a head, and what is behind it (RFC 9112 §2.1, §6.3).
fn head(rest: &[u8]) -> Result<(usize, Body), Stop> {
    let first = line(rest, is_request_line)?;
    let old = first.ends_with(b"1.0");
    let (mut at, mut fields) = (first.len() + 2, 0);
    let (mut lengths, mut codings, mut upgrade) = (Vec::new(), Vec::new(), false);
    loop {
        let next = line(&rest[at..], |line| line.is_empty() || field(line).is_some())?;
        at += next.len() + 2;
        let Some((name, value)) = field(next) else {
            break;
        };
        fields += 1;
        upgrade |= name == header::UPGRADE && !old;
        if name == header::CONTENT_LENGTH {
            lengths.push(number(&value).ok_or(Stop::Bad)?);
        }
        if name == header::TRANSFER_ENCODING {
            codings.push(value.as_bytes().eq_ignore_ascii_case(b"chunked"));
        }
        // What comes behind cannot make it good.
        if lengths.len() > 1 || codings.len() > 1 || codings.contains(&false) {
            return Err(Stop::Bad);
        }
    }
    if fields > MOST.fields || at > MOST.bytes {
        return Err(Stop::Bad);
    }
    match (lengths[..].first(), codings.is_empty()) {
        (Some(_), false) => Err(Stop::Bad),
        (None, false) if old => Err(Stop::Bad),
        (None, false) => Ok((at, Body::Chunks)),
        (None | Some(0), true) if upgrade => Ok((at, Body::Unknown)),
        (length, true) => Ok((at, Body::Length(length.copied().unwrap_or(0)))),
    }
}

/// RFC 9112 §3.
fn is_request_line(line: &[u8]) -> bool {
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = parts[..] else {
        return false;
    };
    let (Ok(method), Ok(target)) = (Method::from_bytes(method), str::from_utf8(target)) else {
        return false;
    };
    let lower = target.to_ascii_lowercase();
    let form = match method.as_str() {
        "CONNECT" => !target.is_empty(),
        "OPTIONS" if target == "*" => true,
        _ => ["/", "http://", "https://"]
            .iter()
            .any(|form| lower.starts_with(form)),
    };
    let foreign = |letter: char| !('!'..='~').contains(&letter) || letter == '#' || letter == '\\';
    let known = form && Uri::try_from(target).is_ok();
    known && !target.contains(foreign) && (version == b"HTTP/1.1" || version == b"HTTP/1.0")
}

/// RFC 9112 §5: no space before the colon; spaces and tabs around the value, and no
/// other white space, are not of it.
fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let mut value = &line[colon + 1..];
    while let [b' ' | b'\t', more @ ..] | [more @ .., b' ' | b'\t'] = value {
        value = more;
    }
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(value).ok()?))
}

/// A number as one writes it.
fn number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The length of chunks, the last of them and trailers (RFC 9112 §7.1).
fn chunks(rest: &[u8]) -> Result<usize, Stop> {
    let mut at = 0;
    loop {
        let (length, size) = chunk_line(&rest[at..])?;
        at += length;
        if size == 0 {
            return Ok(at + trailers(&rest[at..])?);
        }
        at += whole(size, &rest[at..])?;
        at += match rest[at..] {
            [b'\r', b'\n', ..] => 2,
            [] | [b'\r'] => return Err(Stop::Short),
            _ => return Err(Stop::Bad),
        };
    }
}

/// The line's length, and the chunk's.
fn chunk_line(rest: &[u8]) -> Result<(usize, u64), Stop> {
    let digits = rest
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    if digits > 16 {
        return Err(Stop::Bad);
    }
    let is_text = |byte: &&u8| !byte.is_ascii_control() || **byte == b'\t';
    let extension = match rest.get(digits) {
        Some(b';') if digits > 0 => rest[digits..].iter().take_while(is_text).count(),
        _ => 0,
    };
    let end = rest.iter().position(|byte| *byte == b'\n');
    if end.map_or(rest.len(), |end| end + 1) > LONGEST_CHUNK_LINE {
        return Err(Stop::Bad);
    }
    let length = digits + extension + EMPTY_LINE.len();
    match &rest[digits + extension..] {
        [] | [b'\r'] => Err(Stop::Short),
        [b'\r', b'\n', ..] if digits > 0 => {
            let text = str::from_utf8(&rest[..digits]).map_err(|_| Stop::Bad)?;
            let size = u64::from_str_radix(text, 16).map_err(|_| Stop::Bad)?;
            Ok((length, size))
        }
        _ => Err(Stop::Bad),
    }
}

/// The length of the lines behind the last chunk, with that of the empty one.
fn trailers(rest: &[u8]) -> Result<usize, Stop> {
    let mut at = 0;
    loop {
        let line = &rest[at..];
        let end = line.windows(2).position(|two| two == EMPTY_LINE);
        let text = &line[..end.unwrap_or(line.len())];
        // The first half of a line's end is not of the line.
        let text = if end.is_none() {
            text.strip_suffix(b"\r").unwrap_or(text)
        } else {
            text
        };
        let folded = matches!(text.first(), Some(b' ' | b'\t'));
        if folded || text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(Stop::Bad);
        }
        at += end.ok_or(Stop::Short)? + EMPTY_LINE.len();
        if text.is_empty() {
            return Ok(at);
        }
    }
}
