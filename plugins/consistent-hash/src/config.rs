//! The configuration as written, and its checked form.
//!
//! Owns what a key can be taken from. Called once per instance, from `configure`.

use http::HeaderName;
use portcullis_sdk::config;

/// Configuration of `consistent-hash`.
#[config]
#[derive(Debug)]
pub struct Config {
    /// What the key is.
    #[serde(default)]
    pub by: By,
    /// The name of the header, cookie or attribute.
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// Places on the ring per unit of weight: more give evener shares for more
    /// memory. A change moves keys.
    #[serde(default = "default_points")]
    #[schemars(range(min = 1, max = 1_024))]
    pub points: u32,
}

fn default_points() -> u32 {
    128
}

/// What the key is taken from.
#[config]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The client's address.
    #[default]
    ClientIp,
    /// The first value of the request header `name`.
    Header,
    /// The cookie `name`.
    Cookie,
    /// The attribute `name`, such as `auth.subject`, that a filter set.
    Attribute,
    /// The path as it goes upstream, without query.
    Path,
}

/// What the key is taken from, checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// The client's address.
    ClientIp,
    /// The first value of a request header.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// An attribute of the exchange.
    Attribute(String),
    /// The path as it goes upstream.
    Path,
}

impl Key {
    /// Checks that there is a name where one is needed, and only there.
    ///
    /// # Errors
    /// In words for whoever wrote it.
    pub fn new(by: By, name: Option<String>) -> Result<Self, String> {
        match (by, name) {
            (By::ClientIp, None) => Ok(Self::ClientIp),
            (By::Path, None) => Ok(Self::Path),
            (By::ClientIp | By::Path, Some(_)) => {
                Err("`name` is of use with `by: header`, `cookie` or `attribute` only".to_owned())
            }
            (By::Header, Some(name)) => HeaderName::try_from(&name)
                .map(|name| Self::Header(name.as_str().to_owned()))
                .map_err(|_| format!("`{name}` cannot be the name of a header")),
            (By::Cookie, Some(name)) => Ok(Self::Cookie(name)),
            (By::Attribute, Some(name)) => Ok(Self::Attribute(name)),
            (By::Header | By::Cookie | By::Attribute, None) => {
                Err("`name` is missing: say which header, cookie or attribute".to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_needed_by_some_and_refused_by_others() {
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(
            Key::new(By::Header, named("X-User")),
            Ok(Key::Header("x-user".to_owned()))
        );
        assert_eq!(Key::new(By::Path, None), Ok(Key::Path));
        let cases = [
            (By::Header, None, "`name` is missing"),
            (By::Cookie, None, "`name` is missing"),
            (
                By::Header,
                named("a b"),
                "`a b` cannot be the name of a header",
            ),
            (By::Path, named("x"), "`name` is of use with"),
        ];
        for (by, name, expected) in cases {
            let error = Key::new(by, name).expect_err(expected);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
