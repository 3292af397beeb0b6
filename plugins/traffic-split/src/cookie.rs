//! The cookie that keeps a client with the service it was given.
//!
//! Owns reading it from `cookie` and writing it as `set-cookie` (RFC 6265).
//! The value is the service's name, nothing secret and nothing trusted: a
//! client that makes one up can choose among the services of the split, as it
//! could by throwing its cookies away until it likes the outcome.

/// The value of the first cookie of that name in a `cookie` field.
pub fn find<'f>(field: &'f [u8], name: &str) -> Option<&'f [u8]> {
    field
        .split(|&byte| byte == b';')
        .map(<[u8]>::trim_ascii)
        .find_map(|pair| {
            pair.strip_prefix(name.as_bytes())?
                .strip_prefix(b"=")
                .map(unquoted)
        })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// Whether the cookie is kept from plain-text connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The client came over TLS: the cookie stays there.
    Secure,
    /// The client came over plain text.
    Plain,
}

/// A `set-cookie` value. Without `max_age` (seconds) the cookie ends with the
/// browser's session.
pub fn set(name: &str, value: &str, max_age: Option<u64>, transport: Transport) -> String {
    let mut cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
    if let Some(seconds) = max_age {
        cookie.push_str(&format!("; Max-Age={seconds}"));
    }
    if transport == Transport::Secure {
        cookie.push_str("; Secure");
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let cases: [(&str, Option<&str>); 9] = [
            ("release=v2", Some("v2")),
            ("a=b; release=v2; c=d", Some("v2")),
            ("a=b;release=v2;c=d", Some("v2")),
            ("release=\"v2\"", Some("v2")),
            ("release=v1; release=v2", Some("v1")),
            ("release=", Some("")),
            ("prerelease=v2", None),
            ("release2=v2; Release=v2", None),
            ("release; ;; =", None),
        ];
        for (field, expected) in cases {
            let found = find(field.as_bytes(), "release");
            assert_eq!(found, expected.map(str::as_bytes), "{field}");
        }
    }

    #[test]
    fn a_cookie_is_written_with_its_attributes() {
        assert_eq!(
            set("release", "v2", None, Transport::Plain),
            "release=v2; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            set("release", "v2", Some(60), Transport::Secure),
            "release=v2; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
    }
}
