//! The configuration as written, and its checked form.
//!
//! Owns what the keys mean and which combinations are refused; `Split` checks
//! the weights. Called once per instance, from `configure`.

use http::HeaderName;
use portcullis_sdk::config;
use portcullis_sdk::config::Duration;

/// Configuration of `traffic-split`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// The services and their shares; at least one has a weight above 0.
    #[schemars(length(min = 1, max = 100))]
    pub services: Vec<Share>,
    /// What keeps a client with its service. Without it every request is
    /// split anew.
    pub sticky: Option<Sticky>,
}

/// A service and its share of the traffic.
#[config]
#[derive(Debug)]
pub struct Share {
    /// A service of the gateway's configuration.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its share relative to the other weights; 0 for none.
    #[schemars(range(max = 1_000_000))]
    pub weight: u32,
}

/// What keeps a client with its service: one of `header`, `cookie`,
/// `attribute` and `client_ip`.
#[config]
#[derive(Debug, Default)]
pub struct Sticky {
    /// A request header: equal values go to the same service.
    pub header: Option<String>,
    /// A cookie that the gateway sets and that names the service.
    pub cookie: Option<String>,
    /// How long the client keeps the cookie. By default until its session ends.
    pub max_age: Option<Duration>,
    /// An attribute that an earlier filter set, such as `auth.subject`.
    pub attribute: Option<String>,
    /// True: the client's address.
    pub client_ip: Option<bool>,
}

/// What keeps a client with its service, checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// The first value of a request header.
    Header(String),
    /// A cookie of the gateway's own, and how many seconds it is kept.
    Cookie {
        /// Its name.
        name: String,
        /// Seconds; none: until the browser's session ends.
        max_age: Option<u64>,
    },
    /// An attribute of the exchange.
    Attribute(String),
    /// The client's address.
    ClientIp,
}

impl Sticky {
    /// The one key that is named.
    ///
    /// # Errors
    /// If none or several are named, a name cannot be one, or `max_age` is no
    /// duration or stands without `cookie`.
    pub fn key(self) -> Result<Key, String> {
        let client_ip = self.client_ip.filter(|&yes| yes);
        if self.max_age.is_some() && self.cookie.is_none() {
            return Err("sticky: `max_age` is of use with `cookie` only".to_owned());
        }
        match (self.header, self.cookie, self.attribute, client_ip) {
            (Some(name), None, None, None) => header(&name),
            (None, Some(name), None, None) => cookie(name, self.max_age),
            (None, None, Some(name), None) => Ok(Key::Attribute(name)),
            (None, None, None, Some(_)) => Ok(Key::ClientIp),
            _ => Err("sticky: name one of `header`, `cookie`, `attribute`, `client_ip`".to_owned()),
        }
    }
}

fn header(name: &str) -> Result<Key, String> {
    let name = HeaderName::try_from(name)
        .map_err(|_| format!("sticky: `{name}` cannot be the name of a header"))?;
    Ok(Key::Header(name.as_str().to_owned()))
}

fn cookie(name: String, max_age: Option<Duration>) -> Result<Key, String> {
    // A cookie's name has the same syntax as a header's (RFC 6265, section 4.1.1).
    if HeaderName::try_from(&name).is_err() {
        return Err(format!("sticky: `{name}` cannot be the name of a cookie"));
    }
    let max_age = max_age.map(|age| age.as_millis() / 1_000);
    if max_age == Some(0) {
        return Err("sticky: `max_age` is less than a second".to_owned());
    }
    Ok(Key::Cookie { name, max_age })
}

/// Refuses services whose name cannot be a cookie's value.
///
/// # Errors
/// Names the first such service.
pub fn fit_for_cookie(shares: &[Share]) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    match shares.iter().find(|share| !share.name.bytes().all(fits)) {
        Some(share) => Err(format!(
            "sticky: service `{}` cannot be named by a cookie",
            share.name
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    #[test]
    fn one_key_is_taken() {
        let sticky = Sticky {
            header: named("X-User"),
            ..Sticky::default()
        };
        assert_eq!(sticky.key(), Ok(Key::Header("x-user".to_owned())));

        let sticky = Sticky {
            cookie: named("Release"),
            max_age: Some(Duration::from_secs(7_200)),
            ..Sticky::default()
        };
        let expected = Key::Cookie {
            name: "Release".to_owned(),
            max_age: Some(7_200),
        };
        assert_eq!(sticky.key(), Ok(expected));

        let sticky = Sticky {
            client_ip: Some(true),
            ..Sticky::default()
        };
        assert_eq!(sticky.key(), Ok(Key::ClientIp));
    }

    #[test]
    fn none_several_and_malformed_keys_are_refused() {
        let one_of = "sticky: name one of `header`, `cookie`, `attribute`, `client_ip`";
        let cases = [
            (Sticky::default(), one_of),
            (
                Sticky {
                    client_ip: Some(false),
                    ..Sticky::default()
                },
                one_of,
            ),
            (
                Sticky {
                    header: named("a"),
                    attribute: named("b"),
                    ..Sticky::default()
                },
                one_of,
            ),
            (
                Sticky {
                    header: named("a b"),
                    ..Sticky::default()
                },
                "sticky: `a b` cannot be the name of a header",
            ),
            (
                Sticky {
                    cookie: named("a;b"),
                    ..Sticky::default()
                },
                "sticky: `a;b` cannot be the name of a cookie",
            ),
            (
                Sticky {
                    cookie: named("a"),
                    max_age: Some(Duration::from_millis(999)),
                    ..Sticky::default()
                },
                "sticky: `max_age` is less than a second",
            ),
            (
                Sticky {
                    header: named("a"),
                    max_age: Some(Duration::from_secs(1)),
                    ..Sticky::default()
                },
                "sticky: `max_age` is of use with `cookie` only",
            ),
        ];
        for (sticky, expected) in cases {
            assert_eq!(sticky.key(), Err(expected.to_owned()));
        }
    }
}
