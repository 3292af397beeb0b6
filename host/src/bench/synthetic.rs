//! A request made from what a route matches: as plain as it may be, with the
//! headers that a browser sends.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::config::{Match, PathPattern, Segment};

use super::request::{Request, host_name};

/// What stands for any value.
const ANY: &str = "1";

/// What a browser says of itself.
const FIELDS: [(HeaderName, &str); 7] = [
    (
        header::USER_AGENT,
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (header::ACCEPT, "application/json, text/plain, */*"),
    (header::ACCEPT_LANGUAGE, "en-US,en;q=0.5"),
    (header::ACCEPT_ENCODING, "gzip, deflate, br"),
    (header::REFERER, "https://example.com/app"),
    (header::ORIGIN, "https://example.com"),
    (header::COOKIE, "session=0123456789abcdef; theme=dark"),
];

/// A request that the route matches, unless another route matches it better.
pub(super) fn for_route(matches: &Match) -> Request {
    let host = host(matches.host.as_deref());
    let host_field = HeaderValue::from_str(&host).unwrap_or(HeaderValue::from_static("localhost"));
    Request {
        method: matches.methods.first().cloned().unwrap_or(Method::GET),
        uri: uri(matches),
        headers: headers(matches, &host_field),
        host: host_name(&host_field).unwrap_or_default(),
        host_field,
        origin: "the request that was made from the route's match".into(),
    }
}

/// `www.` in place of a wildcard.
fn host(wanted: Option<&str>) -> String {
    match wanted {
        None => "example.com".into(),
        Some(host) => match host.strip_prefix("*.") {
            Some(parent) => format!("www.{parent}"),
            None => host.to_owned(),
        },
    }
}

fn headers(matches: &Match, host: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, host.clone());
    for (name, value) in FIELDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in &matches.headers {
        if let Ok(value) = HeaderValue::from_str(filled(value)) {
            headers.insert(name.clone(), value);
        }
    }
    headers
}

fn filled(value: &str) -> &str {
    match value {
        "*" => ANY,
        value => value,
    }
}

/// The path with its parameters filled, and the parameters that the query must
/// have.
fn uri(matches: &Match) -> Uri {
    let mut text = match &matches.path {
        Some(pattern) => path(pattern),
        None => "/".into(),
    };
    for (number, (name, value)) in matches.query.iter().enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        encode(name, &mut text);
        text.push('=');
        encode(filled(value), &mut text);
    }
    text.parse().unwrap_or_default()
}

fn path(pattern: &PathPattern) -> String {
    let mut path = String::new();
    for segment in pattern.segments() {
        path.push('/');
        path.push_str(match segment {
            Segment::Literal(text) => text,
            Segment::Parameter(_) | Segment::Rest(_) => ANY,
        });
    }
    path
}

/// Percent-encodes what has a meaning in a query (RFC 3986 §2.3).
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte));
            }
            _ => into.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_from_a_pattern() {
        for (pattern, expected) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/api/{version}/users/{id}", "/api/1/users/1"),
            ("/files/{*rest}", "/files/1"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(path(&pattern.parse().unwrap()), expected);
        }
    }

    #[test]
    fn a_request_has_all_that_the_route_asks_for() {
        let matches = Match {
            host: Some("*.example.org".into()),
            path: Some("/a/{b}".parse().unwrap()),
            methods: vec![Method::PUT, Method::GET],
            headers: vec![
                (HeaderName::from_static("x-version"), "2".into()),
                (HeaderName::from_static("x-any"), "*".into()),
            ],
            query: vec![("q".into(), "a b&c".into()), ("flag".into(), "*".into())],
        };
        let request = for_route(&matches);
        assert_eq!(request.method, Method::PUT);
        assert_eq!(request.uri, "/a/1?q=a%20b%26c&flag=1");
        assert_eq!(&*request.host, "www.example.org");
        assert_eq!(request.headers["host"], "www.example.org");
        assert_eq!(request.headers["x-version"], "2");
        assert_eq!(request.headers["x-any"], "1");
        assert!(request.headers.len() >= 8);
    }

    #[test]
    fn a_route_that_matches_everything_gets_a_request_too() {
        let request = for_route(&Match::default());
        assert_eq!(
            (request.method, request.uri),
            (Method::GET, "/".parse().unwrap())
        );
        assert_eq!(&*request.host, "example.com");
    }
}
