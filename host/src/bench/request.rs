//! A request from a file: the head of an HTTP/1.1 request as it goes over the
//! wire, but that lines may end as the editor ends them. What comes after the
//! head is not looked at.

use std::{fmt, fs, path::Path};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};

/// The most header fields of a request, as in the gateway's own default.
const MOST_FIELDS: usize = 100;

/// The largest file.
const LARGEST: u64 = 1 << 20;

/// A request's head.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path and query.
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// The host: as it was sent, and lower-case without port.
    pub(super) host_field: HeaderValue,
    pub(super) host: Box<str>,
    /// Where it is from, for what is wrong with it later.
    pub(super) origin: String,
}

/// What is wrong with a request, and in which line, from 1.
#[derive(Debug, PartialEq, Eq)]
struct Mistake {
    line: usize,
    message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, message } = self;
        write!(f, "{line}: {message}")
    }
}

/// Reads a request from a file.
pub(super) fn read(file: &Path) -> Result<Request, String> {
    let shown = file.display();
    let metadata = fs::metadata(file).map_err(|error| format!("{shown}: {error}"))?;
    if metadata.len() > LARGEST {
        return Err(format!("{shown}: is larger than {LARGEST} bytes"));
    }
    let text = fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
    let mut request = parse(&text).map_err(|mistake| {
        format!(
            "{shown}:{mistake}\n  hint: the file holds a request's head: `GET /path HTTP/1.1`, \
             then a header a line, such as `Host: example.com`"
        )
    })?;
    request.origin = format!("{shown}:1");
    Ok(request)
}

fn parse(text: &[u8]) -> Result<Request, Mistake> {
    let head = head(text);
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    if let Err(error) = parsed.parse(&head) {
        let line = first_bad_line(&head);
        let message = error.to_string();
        return Err(Mistake { line, message });
    }
    let at = |line: usize, message: &str| Mistake {
        line,
        message: message.to_owned(),
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return Err(at(1, "there is no request line"));
    };
    // Empty lines before the request line are no part of it.
    let first = 1 + head.iter().take_while(|byte| is_end(**byte)).count() / 2;
    let method =
        Method::from_bytes(method.as_bytes()).map_err(|_| at(first, "the method is malformed"))?;
    let target: Uri = target
        .parse()
        .map_err(|_| at(first, "the request target is malformed"))?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for (line, field) in (first + 1..).zip(parsed.headers.iter()) {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| at(line, "invalid header name"))?;
        let value =
            HeaderValue::from_bytes(field.value).map_err(|_| at(line, "invalid header value"))?;
        if name == header::HOST && headers.contains_key(header::HOST) {
            return Err(at(line, "there is more than one Host header"));
        }
        headers.append(name, value);
    }
    let host_field = match target.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str())
            .map_err(|_| at(first, "the request target is malformed"))?,
        None => headers
            .get(header::HOST)
            .cloned()
            .ok_or_else(|| at(first, "the Host header is missing"))?,
    };
    let host = host_name(&host_field).ok_or_else(|| at(first, "the Host header is malformed"))?;
    headers.insert(header::HOST, host_field.clone());
    let uri = (target.into_parts().path_and_query.map(Uri::from))
        .filter(|uri| uri.path().starts_with('/'))
        .ok_or_else(|| at(first, "the request target is malformed"))?;
    Ok(Request {
        method,
        uri,
        headers,
        host_field,
        host,
        origin: String::new(),
    })
}

/// The name in a `Host` field: lower-case, without port.
pub(super) fn host_name(field: &HeaderValue) -> Option<Box<str>> {
    let authority = Authority::try_from(field.as_bytes()).ok()?;
    let mut host: Box<str> = authority.host().into();
    host.make_ascii_lowercase();
    Some(host)
}

fn is_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

/// The lines up to the first empty one, each ended as on the wire.
fn head(text: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(text.len() + 4);
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let begun = head.iter().any(|byte| !is_end(*byte));
        if line.is_empty() && begun {
            break;
        }
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The line, from 1, with which the head can no longer be parsed: the parser
/// says what is wrong, not where.
fn first_bad_line(head: &[u8]) -> usize {
    let ends = (1..).zip(head.iter().enumerate().filter(|(_, byte)| **byte == b'\n'));
    let bad = ends.map(|(line, (end, _))| (line, &head[..=end]));
    let mut bad = bad.filter(|(_, part)| {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        httparse::Request::new(&mut fields).parse(part).is_err()
    });
    bad.next().map_or(1, |(line, _)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_on_the_wire_or_in_an_editor() {
        for text in [
            "POST /a/b?c=d HTTP/1.1\r\nHost: Example.com:80\r\nX-A: 1\r\nx-a: 2\r\n\r\nbody\r\nX-B: 3",
            "POST /a/b?c=d HTTP/1.1\nHost: Example.com:80\nX-A: 1\nx-a: 2\n\nbody\nX-B: 3",
            "\n\nPOST /a/b?c=d HTTP/1.1\nHost: Example.com:80\nX-A: 1\nx-a: 2",
            "POST http://Example.com:80/a/b?c=d HTTP/1.1\nHost: other\nX-A: 1\nx-a: 2\n",
        ] {
            let request = parse(text.as_bytes()).unwrap();
            assert_eq!(request.method, Method::POST);
            assert_eq!(request.uri, "/a/b?c=d");
            assert_eq!(&*request.host, "example.com");
            assert_eq!(request.headers["host"], "Example.com:80");
            assert_eq!(request.headers.get_all("x-a").iter().count(), 2);
            assert!(!request.headers.contains_key("x-b"), "{text}");
        }
    }

    #[test]
    fn a_mistake_says_its_line() {
        for (text, line, message) in [
            ("", 1, "there is no request line"),
            ("GET", 1, "invalid token"),
            ("GET /a HTTP/3\nHost: a", 1, "invalid HTTP version"),
            ("G ET /a HTTP/1.1\nHost: a", 1, "invalid HTTP version"),
            (
                "GET a HTTP/1.1\nHost: a",
                1,
                "the request target is malformed",
            ),
            ("GET /a HTTP/1.1\nX: 1", 1, "the Host header is missing"),
            (
                "GET /a HTTP/1.1\nHost: a b",
                1,
                "the Host header is malformed",
            ),
            (
                "GET /a HTTP/1.1\nHost: a\nno colon\nX: 1",
                3,
                "invalid header name",
            ),
            (
                "GET /a HTTP/1.1\nHost: a\nX: 1\0",
                3,
                "invalid header value",
            ),
            (
                "GET /a HTTP/1.1\nHost: a\nX: 1\nHost: b",
                4,
                "there is more than one Host header",
            ),
            (
                "\nGET /a HTTP/1.1\nHost: a\nhost: b",
                4,
                "there is more than one Host header",
            ),
        ] {
            let mistake = parse(text.as_bytes()).unwrap_err();
            assert_eq!(
                (mistake.line, mistake.message.as_str()),
                (line, message),
                "{text:?}"
            );
        }
    }
}
