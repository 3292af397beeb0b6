//! Checks a request's head before anything acts on it.
//!
//! A request that two parties could read in two ways is refused here
//! (RFC 9112 §3.2, §6.1): what passes has one host, one framing and a path.

mod noted;
#[cfg(any(test, fuzzing))]
pub(crate) mod proof;

use std::net::Ipv6Addr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, request::Parts,
    uri::Authority,
};

use crate::respond::Error;

use super::{
    path::{self, Canonical},
    refusal::Refusal,
};
use noted::{Noted, is_look_alike};

/// A head that was checked.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// Path and query only, in their one form.
    pub(super) uri: Uri,
    /// The path as routes match it, where that is another.
    pub(super) matched: Option<Box<str>>,
    pub(super) headers: HeaderMap,
    /// Lower-case, without port.
    pub(super) host: Box<str>,
    /// As the client sent it.
    pub(super) host_field: HeaderValue,
    /// What there is among the fields, or was.
    pub(super) noted: Noted,
}

/// Checks a head.
pub(super) fn check(parts: Parts) -> Result<Head, Refusal> {
    let Parts {
        method,
        uri,
        version,
        mut headers,
        ..
    } = parts;
    // Tunnels are not served, and TRACE would show a client what the gateway adds
    // (RFC 9110 §9.3.6, §9.3.8).
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Error::NotImplemented.into());
    }
    if version == Version::HTTP_2 {
        check_authority(&uri, &headers).map_err(Refusal::host)?;
        check_target(&uri).map_err(Refusal::path)?;
        join_cookies(&mut headers)?;
    }
    let mut noted = Noted::of(&headers);
    if noted.framed {
        check_framing(&headers)?;
    }
    let host_field = host_field(&uri, &mut noted).map_err(Refusal::host)?;
    let host = host_name(&host_field).map_err(Refusal::host)?;
    if uri.authority().is_some() {
        headers.insert(header::HOST, host_field.clone());
    }
    let canonical = origin_form(uri).and_then(path::canonical);
    let Canonical { uri, matched } = canonical.map_err(Refusal::path)?;
    if noted.look_alikes {
        drop_look_alikes(&mut headers);
    }
    Ok(Head {
        method,
        uri,
        matched,
        headers,
        host,
        host_field,
        noted,
    })
}

/// Drops fields whose names many servers take for others, which would be a way
/// round what a filter sets.
fn drop_look_alikes(headers: &mut HeaderMap) {
    let alike = headers.keys().filter(|name| is_look_alike(name));
    let names: Vec<HeaderName> = alike.cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// `:authority` is there, or `Host` in its place; if both are, they are the same
/// (RFC 9113 §8.3.1): otherwise who looks at one and who looks at the other would
/// see two hosts.
fn check_authority(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => Err(
            Error::BadRequest(":authority and the Host header contradict each other"),
        ),
        _ => Ok(()),
    }
}

/// No backslash, which many read as a slash, and nothing beyond ASCII. Over HTTP/1.1
/// the framing has seen to it.
fn check_target(uri: &Uri) -> Result<(), Error> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let is_of_a_uri = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    match target.bytes().all(is_of_a_uri) {
        true => Ok(()),
        false => Err(Error::BadRequest(
            "the request target has a character that no URI has",
        )),
    }
}

/// A client of HTTP/2 may send its cookies one by one; for all others they are
/// one field (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Error> {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else {
        return Ok(());
    };
    let mut joined = first.as_bytes().to_vec();
    for cookie in [second].into_iter().chain(cookies) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    let joined = HeaderValue::from_bytes(&joined)
        .map_err(|_| Error::BadRequest("the Cookie header is malformed"))?;
    headers.insert(header::COOKIE, joined);
    Ok(())
}

/// `Transfer-Encoding` is one `chunked` or absent (RFC 9112 §6.1).
fn check_framing(headers: &HeaderMap) -> Result<(), Error> {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            match headers.contains_key(header::CONTENT_LENGTH) {
                true => Err(Error::BadRequest(
                    "Content-Length and Transfer-Encoding contradict each other",
                )),
                false => Ok(()),
            }
        }
        _ => Err(Error::BadRequest(
            "Transfer-Encoding is not exactly one chunked",
        )),
    }
}

/// The authority of an absolute-form target, else the one `Host` field.
fn host_field(uri: &Uri, noted: &mut Noted) -> Result<HeaderValue, Error> {
    if noted.hosts {
        return Err(Error::BadRequest("there is more than one Host header"));
    }
    if let Some(authority) = uri.authority() {
        return HeaderValue::from_str(authority.as_str())
            .map_err(|_| Error::BadRequest("the request target is malformed"));
    }
    let host = noted.host.take();
    host.ok_or(Error::BadRequest("the Host header is missing"))
}

fn host_name(field: &HeaderValue) -> Result<Box<str>, Error> {
    const BAD: Error = Error::BadRequest("the Host header is malformed");
    if let Some(name) = plain_name(field.as_bytes()) {
        return Ok(name.to_ascii_lowercase().into());
    }
    let authority = Authority::try_from(field.as_bytes()).map_err(|_| BAD)?;
    let name = authority.host();
    // With a user before it, it would not be the beginning.
    let port = authority.as_str().strip_prefix(name).ok_or(BAD)?;
    if !is_host(name) || !is_port(port) {
        return Err(BAD);
    }
    let mut host: Box<str> = name.into();
    host.make_ascii_lowercase();
    Ok(host)
}

/// The name before a port that may be there, if all of it is letters, digits, dots
/// and hyphens: beyond doubt, as nearly all are.
fn plain_name(field: &[u8]) -> Option<&str> {
    let colon = field.iter().position(|byte| *byte == b':');
    let (name, port) = field.split_at(colon.unwrap_or(field.len()));
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let digits = port.iter().skip(1).all(u8::is_ascii_digit);
    let beyond_doubt = !name.is_empty() && name.iter().all(plain) && digits;
    std::str::from_utf8(name).ok().filter(|_| beyond_doubt)
}

/// A name, or an address, of IPv6 in brackets (RFC 3986 §3.2.2). What the library takes
/// for one may be empty, or have brackets anywhere.
fn is_host(name: &str) -> bool {
    match name.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']');
            address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        None => !name.is_empty() && !name.contains(['[', ']', '@', '"', '\\']),
    }
}

/// Nothing, or a colon and digits, which may be none (RFC 3986 §3.2.3).
fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':');
    text.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Path and query, `*` for `OPTIONS *`.
fn origin_form(uri: Uri) -> Result<Uri, Error> {
    if uri.authority().is_none() {
        return match uri.path() {
            path if path.starts_with('/') || path == "*" => Ok(uri),
            _ => Err(Error::BadRequest("the request target is malformed")),
        };
    }
    // A target that begins with its fragment has a path of no characters here.
    let target = uri.into_parts().path_and_query.map(Uri::from);
    target
        .filter(|uri| uri.path().starts_with('/') || uri.path() == "*")
        .ok_or(Error::BadRequest("the request target is malformed"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn checked(target: &str, headers: &[(&str, &str)]) -> Result<Head, Refusal> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("the test's request is valid");
        check(request.into_parts().0)
    }

    #[test]
    fn the_host_is_lower_case_and_has_no_port() {
        let head = checked("/a?b", &[("host", "Example.COM:8080")]).unwrap();
        assert_eq!(&*head.host, "example.com");
        assert_eq!(head.host_field, "Example.COM:8080");
        assert_eq!(head.uri, "/a?b");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (host, expected) in [
            ("[::1]:80", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("a.example.:", "a.example."),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            let head = checked("/", &[("host", host)]).unwrap();
            assert_eq!(&*head.host, expected);
        }
    }

    #[test]
    fn an_absolute_target_names_the_host() {
        let head = checked("http://real.example/x?y", &[("host", "other")]).unwrap();
        assert_eq!(&*head.host, "real.example");
        assert_eq!(head.headers[header::HOST], "real.example");
        assert_eq!(head.uri, "/x?y");
        for (target, expected) in [
            ("http://a", Some("/")),
            ("http://a?b", Some("/?b")),
            ("http://a#b/c", None),
        ] {
            let head = checked(target, &[("host", "a")]);
            assert_eq!(
                head.ok().map(|head| head.uri.to_string()).as_deref(),
                expected,
                "{target}"
            );
        }
    }

    #[test]
    fn what_looks_like_another_field_is_dropped() {
        let headers = [
            ("host", "a"),
            ("x_user", "1"),
            ("x.user", "2"),
            ("x-user", "3"),
        ];
        let head = checked("/", &headers).unwrap();
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.headers["x-user"], "3");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let h = ("host", "a");
        let cases: &[&[(&str, &str)]] = &[
            &[],
            &[h, h],
            &[("host", "a b")],
            &[("host", "")],
            &[("host", "user@a")],
            &[("host", "a/b")],
            &[("host", ":80")],
            &[("host", ":[:]:080")],
            &[("host", "[]")],
            &[("host", "[::1")],
            &[("host", "[a]")],
            &[("host", "[::1]x:80")],
            &[("host", "a[::1]")],
            &[("host", "a:b")],
            &[("host", "a:80:80")],
            &[("host", "::1")],
            &[h, ("transfer-encoding", "gzip, chunked")],
            &[h, ("transfer-encoding", "identity")],
            &[
                h,
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
            &[h, ("transfer-encoding", "chunked"), ("content-length", "1")],
        ];
        for headers in cases {
            let error = checked("/", headers).expect_err(&format!("{headers:?}"));
            let error = error.error;
            assert!(matches!(error, Error::BadRequest(_)), "{headers:?}");
        }
    }
}
