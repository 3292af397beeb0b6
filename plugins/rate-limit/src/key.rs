//! Whose requests are counted together.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use portcullis_sdk::{crypto, prelude::Exchange};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Values longer than this are digested, so that a client cannot fill memory
/// with its keys.
const LONGEST_VALUE: usize = 96;

/// What tells those apart whose requests are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Key {
    /// The client's address.
    #[default]
    ClientIp,
    /// The attribute `auth.consumer` of `key-auth`.
    Consumer,
    /// The attribute `auth.subject` of an authentication filter.
    Subject,
    /// Nothing: all requests of the route together.
    Route,
    /// The first value of this request header, lower-case.
    Header(String),
    /// This attribute.
    Attribute(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, name] = self.words();
        f.write_str(kind)?;
        f.write_str(name)
    }
}

/// Why a text is no [`Key`].
#[derive(Debug)]
pub struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no key: write client_ip, consumer, subject, route, header:NAME or attribute:NAME",
            self.0
        )
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Ok(match text.split_once(':') {
            None if text == "client_ip" => Self::ClientIp,
            None if text == "consumer" => Self::Consumer,
            None if text == "subject" => Self::Subject,
            None if text == "route" => Self::Route,
            Some(("header", name)) if is_name(name) => Self::Header(name.to_ascii_lowercase()),
            Some(("attribute", name)) if is_name(name) => Self::Attribute(name.to_owned()),
            _ => return Err(KeyError(text.chars().take(80).collect())),
        })
    }
}

/// Letters, digits, `.`, `_` and `-`: what headers and attributes in use are
/// made of, and nothing that could be mistaken for a part of a counter's key.
fn is_name(name: &str) -> bool {
    matches!(name.len(), 1..=64)
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Key {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(client_ip|consumer|subject|route|(header|attribute):[A-Za-z0-9._-]{1,64})$",
            "examples": ["client_ip", "consumer", "subject", "route", "header:x-tenant", "attribute:auth.issuer"],
        })
    }
}

impl Key {
    /// Its text in two parts.
    fn words(&self) -> [&str; 2] {
        match self {
            Self::ClientIp => ["client_ip", ""],
            Self::Consumer => ["consumer", ""],
            Self::Subject => ["subject", ""],
            Self::Route => ["route", ""],
            Self::Header(name) => ["header:", name],
            Self::Attribute(name) => ["attribute:", name],
        }
    }

    /// Kind and value of the one whose request this is, as they stand in a
    /// counter's key.
    ///
    /// Where the header or attribute is missing or empty, this is the client's
    /// address: leaving a header out must not be a way round the limit.
    pub fn identify(&self, exchange: &Exchange, ipv6_prefix: u8) -> String {
        let value = match self {
            Self::Route => return "route|".to_owned(),
            Self::ClientIp => None,
            Self::Consumer => exchange.attribute("auth.consumer").map(String::into_bytes),
            Self::Subject => exchange.attribute("auth.subject").map(String::into_bytes),
            Self::Attribute(name) => exchange.attribute(name).map(String::into_bytes),
            Self::Header(name) => exchange.request_header(name),
        };
        match value {
            Some(value) if !value.is_empty() => {
                let [kind, name] = self.words();
                let (mark, value) = fit(value);
                // Of every request that has it: `format!` costs ten times as much.
                [kind, name, mark, &value].concat()
            }
            _ => {
                let address = exchange.client_address();
                ["client_ip|", &network(&address, ipv6_prefix)].concat()
            }
        }
    }
}

/// A value as it stands in a key, after its mark: itself after `|`, or after `#`
/// the digest of one that is long or no text. The two marks keep a client from sending the
/// digest of another's value.
fn fit(value: Vec<u8>) -> (&'static str, String) {
    match String::from_utf8(value) {
        Ok(text) if text.len() <= LONGEST_VALUE => ("|", text),
        Ok(text) => ("#", digest(text.as_bytes())),
        Err(error) => ("#", digest(error.as_bytes())),
    }
}

/// The hexadecimal SHA-256 of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in crypto::digest(crypto::DigestAlgorithm::Sha256, bytes) {
        for digit in [byte >> 4, byte & 15] {
            text.push(
                char::from_digit(digit.into(), 16).expect("invariant: four bits are a digit"),
            );
        }
    }
    text
}

/// The network that a client's address belongs to: an IPv4 address itself, of
/// an IPv6 address its first bits.
fn network(address: &str, ipv6_prefix: u8) -> Cow<'_, str> {
    if !address.contains(':') {
        return address.into();
    }
    match address
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
    {
        Ok(IpAddr::V6(address)) => {
            let mask = u128::MAX << (128 - u32::from(ipv6_prefix.clamp(1, 128)));
            let network = Ipv6Addr::from_bits(address.to_bits() & mask);
            format!("{network}/{ipv6_prefix}").into()
        }
        Ok(IpAddr::V4(address)) => address.to_string().into(),
        Err(_) => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_back() {
        for text in [
            "client_ip",
            "consumer",
            "subject",
            "route",
            "header:x-tenant",
            "attribute:auth.issuer",
        ] {
            assert_eq!(
                text.parse::<Key>()
                    .map(|key| key.to_string())
                    .ok()
                    .as_deref(),
                Some(text)
            );
        }
        assert_eq!(
            "header:X-Tenant".parse::<Key>().ok(),
            Some(Key::Header("x-tenant".into()))
        );
        for text in [
            "",
            "ip",
            "header",
            "header:",
            "header:a b",
            "header:a|b",
            "cookie:a",
            "route:x",
            "Client_Ip",
        ] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
        for (address, prefix, expected) in [
            ("10.0.0.9", 64, "10.0.0.9"),
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", 64, "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::/48"),
            ("2001:db8::1", 128, "2001:db8::1/128"),
            ("::ffff:10.0.0.9", 64, "10.0.0.9"),
            ("unknown:", 64, "unknown:"),
        ] {
            assert_eq!(network(address, prefix), expected);
        }
    }
}
