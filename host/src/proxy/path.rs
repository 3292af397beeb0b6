//! One form for every path (RFC 3986 §6.2.2): what the router matches, what
//! plugins see and what goes upstream is the same.
//!
//! Without it a route that protects `/admin` could be walked round: by `/x/../admin`,
//! `/%61dmin`, `//admin` or `/admin;x`, where the upstream reads the same as `/admin`.

#[cfg(any(test, fuzzing))]
pub(crate) mod proof;

use std::borrow::Cow;

use http::Uri;

use crate::respond::Error;

/// A target in its one form.
#[derive(Debug)]
pub(super) struct Canonical {
    /// Path and query as they go upstream.
    pub(super) uri: Uri,
    /// The path as routes match it, where that is another: without what follows a
    /// `;` in a segment (RFC 3986 §3.3), which some upstreams pass over.
    pub(super) matched: Option<Box<str>>,
}

/// Puts a target into its one form: percent-encoding only where it is needed, in
/// upper case; no empty segments but the last; no `.` and `..`.
///
/// # Errors
///
/// What has no such form: malformed percent-encoding, encoded slashes,
/// backslashes and control characters, `..` beyond the root or with parameters.
pub(super) fn canonical(uri: Uri) -> Result<Canonical, Error> {
    let path = uri.path();
    if is_plain(path.as_bytes()) || path == "*" {
        return Ok(Canonical { uri, matched: None });
    }
    let decoded = decode(path)?;
    let resolved = resolve(&decoded)?;
    let matched = resolved
        .contains(';')
        .then(|| without_parameters(&resolved));
    let target = match uri.query() {
        Some(query) => format!("{resolved}?{query}"),
        None => resolved,
    };
    const MALFORMED: Error = Error::BadRequest("the request target is malformed");
    Ok(Canonical {
        uri: target.parse().map_err(|_| MALFORMED)?,
        matched,
    })
}

/// Whether a path is in its form already, as nearly all are.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|byte| {
        let plain = !matches!((before, byte), (b'/', b'/' | b'.') | (_, b'%' | b';'));
        before = *byte;
        plain
    })
}

/// Decodes what needs no encoding, and refuses what must not be decoded.
fn decode(path: &str) -> Result<Cow<'_, str>, Error> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut decoded = String::with_capacity(path.len());
    let mut parts = path.split('%');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            None => {
                return Err(Error::BadRequest(
                    "the path's percent-encoding is malformed",
                ));
            }
            Some(b'/' | b'\\') => {
                return Err(Error::BadRequest(
                    "the path has an encoded slash or backslash",
                ));
            }
            Some(0..=0x1f | 0x7f) => {
                return Err(Error::BadRequest(
                    "the path has an encoded control character",
                ));
            }
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                decoded.push(char::from(byte));
            }
            Some(_) => {
                decoded.push('%');
                decoded.push_str(&part[..2].to_ascii_uppercase());
            }
        }
        decoded.push_str(&part[2..]);
    }
    Ok(Cow::Owned(decoded))
}

/// Removes empty segments and dots (RFC 3986 §5.2.4).
fn resolve(path: &str) -> Result<String, Error> {
    let mut segments: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        let name = segment.split(';').next().unwrap_or_default();
        let dots = matches!(name, "." | "..");
        if dots && segment.len() > name.len() {
            return Err(Error::BadRequest("the path has dots with parameters"));
        }
        open = dots || segment.is_empty();
        match segment {
            "" | "." => {}
            ".." => {
                let up = segments.pop();
                up.ok_or(Error::BadRequest("the path leads beyond the root"))?;
            }
            segment => segments.push(segment),
        }
    }
    let mut resolved = String::with_capacity(path.len());
    for segment in &segments {
        resolved.push('/');
        resolved.push_str(segment);
    }
    // The last segment was empty, or stood for a directory.
    if open || segments.is_empty() {
        resolved.push('/');
    }
    Ok(resolved)
}

fn without_parameters(path: &str) -> Box<str> {
    let names = path
        .split('/')
        .map(|segment| segment.split(';').next().unwrap_or_default());
    let path = names.collect::<Vec<_>>().join("/");
    match resolve(&path) {
        Ok(resolved) => resolved.into(),
        // It has no dots any more.
        Err(_) => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<(String, Option<String>), Error> {
        let uri = path.parse().expect("the test's target is one");
        let Canonical { uri, matched } = canonical(uri)?;
        Ok((uri.to_string(), matched.map(String::from)))
    }

    #[test]
    fn every_path_has_one_form() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b?c=%2f&d=//", "/a/b?c=%2f&d=//"),
            ("/a/", "/a/"),
            ("/%61dmin", "/admin"),
            ("/%7euser/%c3%a9", "/~user/%C3%A9"),
            ("/%2525", "/%2525"),
            ("//admin", "/admin"),
            ("/a//b///c//", "/a/b/c/"),
            ("/a/./b/.", "/a/b/"),
            ("/a/../admin", "/admin"),
            ("/a/%2e%2e/admin?x", "/admin?x"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/..b/...", "/a/..b/..."),
            ("/a%3bb", "/a%3Bb"),
        ] {
            assert_eq!(of(path), Ok((expected.to_owned(), None)), "{path}");
            assert_eq!(
                of(expected).unwrap().0,
                expected,
                "{path} has a form of its own"
            );
        }
    }

    #[test]
    fn routes_do_not_see_parameters_of_segments() {
        for (path, uri, matched) in [
            ("/admin;x", "/admin;x", "/admin"),
            ("/a;b=1/c;d", "/a;b=1/c;d", "/a/c"),
            ("/a/../admin;x=1", "/admin;x=1", "/admin"),
            ("/;/admin", "/;/admin", "/admin"),
        ] {
            assert_eq!(of(path), Ok((uri.into(), Some(matched.into()))), "{path}");
        }
    }

    #[test]
    fn what_has_no_such_form_is_refused() {
        for path in [
            "/a%2fb",
            "/a%2F..%2Fadmin",
            "/a%5Cb",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/..",
            "/a/../../admin",
            "/%2e%2e/admin",
            "/x/..;p=1/admin",
            "/x/.;/admin",
            "/x/%2e%2e;/admin",
        ] {
            assert!(matches!(of(path), Err(Error::BadRequest(_))), "{path}");
        }
    }
}
