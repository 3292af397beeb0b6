//! Origins (RFC 6454) that a plugin may be allowed to ask: a scheme, a host
//! and a port.

use std::fmt;

use url::{Host, Url};

use super::reader::Item;

/// One origin. Two that are equal are one place, however they are written:
/// `http://127.1` and `HTTP://127.0.0.1:80/` are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Whether it is `https`; else it is `http`.
    pub secure: bool,
    /// A name, in lower case, or an address.
    pub host: Host<String>,
    /// The port, also where it is the scheme's usual one.
    pub port: u16,
}

impl Origin {
    /// That of a URL; none unless it is `http` or `https` and has a host.
    pub fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Self {
            secure,
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
        })
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match self.secure {
            true => "https",
            false => "http",
        }
    }

    /// What `host` says in a request: without the port if it is the usual one.
    pub fn authority(&self) -> String {
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

/// An origin as a file says it: `https://id.example.com`, and nothing behind it.
pub(super) fn origin(item: &Item<'_>, text: &str) -> Option<Origin> {
    let alone = |url: &Url| {
        url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(alone);
    match url.as_ref().and_then(Origin::of) {
        Some(origin) => Some(origin),
        None => item.mistake(
            format!("{} is not an origin", item.shown(text)),
            "scheme, host and port: `https://id.example.com`, `http://10.0.0.5:8080`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_place_is_one_origin() {
        let of = |text: &str| Origin::of(&Url::parse(text).unwrap()).unwrap();
        for (text, shown) in [
            ("http://127.1", "http://127.0.0.1"),
            ("HTTP://0x7f.0.0.1:80/", "http://127.0.0.1"),
            ("http://2130706433:8080", "http://127.0.0.1:8080"),
            ("https://ID.Example.com:443", "https://id.example.com"),
            (
                "https://id.example.com:8443/a",
                "https://id.example.com:8443",
            ),
            ("http://[0:0::1]:80", "http://[::1]"),
            ("http://b\u{fc}cher.example", "http://xn--bcher-kva.example"),
        ] {
            assert_eq!(of(text).to_string(), shown, "{text}");
        }
        assert!(Origin::of(&Url::parse("ftp://a").unwrap()).is_none());
        assert!(Origin::of(&Url::parse("data:,a").unwrap()).is_none());
    }
}
