//! What is asked, checked.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, uri::PathAndQuery};
use url::{Position, Url};

use crate::{body::Own, config::Origin};

use super::{Error, policy};

/// The most redirects that may be followed.
const MOST_REDIRECTS: u32 = 10;

/// The longest head of a request, in bytes of names and values.
const LONGEST_HEAD: usize = 64 << 10;

const USER_AGENT: HeaderValue = HeaderValue::from_static("portcullis");

/// A request of a plugin's own.
#[derive(Debug)]
pub struct Request {
    pub(super) method: Method,
    pub(super) place: Place,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) redirects: u32,
}

/// Whom a request goes to, and what it asks there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// A service of the configuration.
    Service { name: String, path: PathAndQuery },
    /// A host out there.
    Host(Host),
}

/// A host out there, and what is asked there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Host {
    pub(super) url: Url,
    pub(super) origin: Origin,
    pub(super) path: PathAndQuery,
}

/// A request's body.
#[derive(Debug)]
pub(super) enum Sending {
    /// There is none, or one that can be sent again.
    Whole(Bytes),
    /// One that can be sent once.
    Once(Option<Own>),
}

impl Request {
    /// Checks a request to a service. `path` may have a query.
    ///
    /// # Errors
    ///
    /// `Invalid`.
    pub fn to_service(method: &str, name: &str, path: &str) -> Result<Self, Error> {
        if path.len() > policy::LONGEST_URL || !path.starts_with('/') {
            return Err(Error::Invalid);
        }
        let path = PathAndQuery::try_from(path).map_err(|_| Error::Invalid)?;
        let name = name.to_owned();
        Self::to(method, Place::Service { name, path })
    }

    /// Checks a request to a URL.
    ///
    /// # Errors
    ///
    /// `Invalid`.
    pub fn to_url(method: &str, url: &str) -> Result<Self, Error> {
        Self::to(method, Place::Host(Host::of(policy::parse(url)?)?))
    }

    fn to(method: &str, place: Place) -> Result<Self, Error> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Error::Invalid)?;
        let tunnels = method == Method::CONNECT || method == Method::TRACE;
        let shouts = !method
            .as_str()
            .bytes()
            .any(|byte| byte.is_ascii_lowercase());
        match shouts && !tunnels {
            true => Ok(Self {
                method,
                place,
                headers: HeaderMap::new(),
                timeout: Duration::MAX,
                redirects: 0,
            }),
            false => Err(Error::Invalid),
        }
    }

    /// With these header fields, of which the gateway's own are left out: `host`,
    /// framing, and those of one connection.
    ///
    /// # Errors
    ///
    /// `Invalid` if they are more than a head may hold.
    pub fn with_headers(mut self, mut headers: HeaderMap) -> Result<Self, Error> {
        let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        if headers.iter().map(size).sum::<usize>() > LONGEST_HEAD {
            return Err(Error::Invalid);
        }
        headers.remove(header::HOST);
        headers.remove(header::EXPECT);
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        self.headers = headers;
        Ok(self)
    }

    /// With the longest that it may take, to the last byte of its answer.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With so many redirects that are followed.
    ///
    /// # Errors
    ///
    /// `Invalid` for more than ten.
    pub fn following(mut self, redirects: u32) -> Result<Self, Error> {
        self.redirects = redirects;
        match redirects {
            0..=MOST_REDIRECTS => Ok(self),
            _ => Err(Error::Invalid),
        }
    }
}

impl Host {
    /// The host of a URL that was checked.
    pub(super) fn of(url: Url) -> Result<Self, Error> {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        Ok(Self {
            path: PathAndQuery::try_from(path).map_err(|_| Error::Invalid)?,
            origin: Origin::of(&url).ok_or(Error::Invalid)?,
            url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_invalid() {
        let invalid = Err(Error::Invalid);
        for (method, path, expected) in [
            ("GET", "/a?b=c", Ok(())),
            ("X-MINE", "/", Ok(())),
            ("get", "/", invalid),
            ("GET ", "/", invalid),
            ("", "/", invalid),
            ("CONNECT", "/", invalid),
            ("TRACE", "/", invalid),
            ("GET", "", invalid),
            ("GET", "a", invalid),
            ("GET", "http://a.example/", invalid),
            ("GET", "/a b", invalid),
            ("GET", "/a\r\nx: y", invalid),
            ("GET", "/\u{e4}", Ok(())),
        ] {
            let asked = Request::to_service(method, "users", path).map(drop);
            assert_eq!(asked, expected, "{method} {path}");
        }
        let long = format!("/{}", "x".repeat(policy::LONGEST_URL));
        assert_eq!(Request::to_service("GET", "a", &long).map(drop), invalid);
        let request = || Request::to_url("GET", "http://a.example/").expect("is valid");
        assert_eq!(request().following(11).map(drop), invalid);
        let mut fields = HeaderMap::new();
        fields.insert("host", HeaderValue::from_static("b.example"));
        let request = request().with_headers(fields.clone()).expect("is valid");
        assert!(!request.headers.contains_key("host"));
        for index in 0..2 {
            let value = HeaderValue::from_str(&"x".repeat(LONGEST_HEAD / 2)).expect("is valid");
            fields.insert(
                HeaderName::try_from(format!("x-{index}")).expect("is valid"),
                value,
            );
        }
        assert_eq!(request.with_headers(fields).map(drop), invalid);
    }

    #[test]
    fn a_url_becomes_what_is_asked() {
        let request = Request::to_url("GET", "http://EXAMPLE.com/a/../b c?d=\u{e4}#e");
        let Place::Host(host) = request.expect("is valid").place else {
            panic!("it is no service");
        };
        assert_eq!(host.path, "/b%20c?d=%C3%A4");
        assert_eq!(host.origin.authority(), "example.com");
    }
}
