//! The cookie that keeps a client with the service it was given.
//!
//! Owns writing it as `set-cookie` (RFC 6265).
//! The value is the service's name, nothing secret and nothing trusted: a
//! client that makes one up can choose among the services of the split, as it
//! could by throwing its cookies away until it likes the outcome.

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
