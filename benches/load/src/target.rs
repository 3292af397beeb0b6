//! Where requests go, and the bytes of one. Made once from the command line.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail};

/// An address, and the request that is sent there again and again.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
    /// The header by which responses are held against the request's echo.
    pub(crate) stamp: Option<String>,
}

impl Target {
    /// A `GET` of a URL with some headers, each `name: value`.
    ///
    /// # Errors
    ///
    /// If the URL is not plain `http://HOST:PORT/path` or the host is unknown,
    /// or if a header is not one line with a colon.
    pub(crate) fn new(url: &str, headers: &[String], stamp: Option<String>) -> Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .with_context(|| format!("{url} does not begin with http://"))?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let mut addresses = authority
            .to_socket_addrs()
            .with_context(|| format!("{authority} is not HOST:PORT"))?;
        let address = addresses
            .next()
            .with_context(|| format!("{authority} has no address"))?;
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\n");
        for header in headers {
            if !header.contains(':') || header.contains(['\r', '\n']) {
                bail!("{header:?} is not a header: `name: value`");
            }
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Ok(Self {
            address,
            request: request.into_bytes(),
            stamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_headers_become_a_request() {
        let target = Target::new("http://127.0.0.1:80/a?b", &["x-a: 1".into()], None).unwrap();
        assert_eq!(target.address, "127.0.0.1:80".parse().unwrap());
        let request = "GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:80\r\nx-a: 1\r\n\r\n";
        assert_eq!(String::from_utf8(target.request).unwrap(), request);
    }

    #[test]
    fn what_is_no_url_or_header_is_refused() {
        for (url, header) in [
            ("https://127.0.0.1:80/", "a: b"),
            ("http://127.0.0.1/", "a: b"),
            ("http://127.0.0.1:80/", "no colon"),
            ("http://127.0.0.1:80/", "a: b\r\nc: d"),
        ] {
            assert!(
                Target::new(url, &[header.into()], None).is_err(),
                "{url} {header}"
            );
        }
    }
}
