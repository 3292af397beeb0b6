//! Whom a plugin's own requests may reach. Pure: no name is resolved here and
//! nothing is connected to.
//!
//! Three questions, asked in this order, of the first URL and of every redirect:
//!
//! 1. Is it a URL of a place at all ([`parse`])? Read as browsers read it (WHATWG
//!    URL), so that `http://0x7f.1`, `http://2130706433` and `http://127.0.0.1` are
//!    one place, and what was checked is what is asked.
//! 2. Is its origin allowed ([`Policy::origin`])? One that the step names is, and
//!    then whatever its name resolves to. With `http: true` every origin is, but
//! 3. of those not one of the addresses that it resolves to may lead back inside
//!    ([`Trust::allows`]): only addresses of the public internet, and none of this
//!    machine.
//!
//! Whoever connects takes an address that was let through by 3, never the name again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

use crate::config::{Allow, Origin, Reach};

use super::Error;

/// The longest URL, in bytes.
pub(super) const LONGEST_URL: usize = 8 << 10;

/// Whom one plugin may reach.
#[derive(Debug, Clone)]
pub struct Policy {
    /// None: all services, and every public host.
    reach: Option<Reach>,
}

/// How far an origin is trusted that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The step names it: its name may resolve to whatever it does.
    Named,
    /// It may be asked as long as it is a stranger out there.
    Public,
}

impl Policy {
    /// What a step allows.
    pub fn of(allow: &Allow) -> Self {
        Self {
            reach: allow.reach().cloned(),
        }
    }

    /// Whether a service may be asked.
    pub(super) fn service(&self, name: &str) -> Result<(), Error> {
        match &self.reach {
            Some(reach) if !reach.services.contains(name) => Err(Error::Denied),
            _ => Ok(()),
        }
    }

    /// Whether an origin may be asked, and how far it is trusted.
    pub(super) fn origin(&self, origin: &Origin) -> Result<Trust, Error> {
        match &self.reach {
            None => Ok(Trust::Public),
            Some(reach) if reach.origins.contains(origin) => Ok(Trust::Named),
            Some(_) => Err(Error::Denied),
        }
    }
}

impl Trust {
    /// Whether an address may be connected to. `here`: it is one of this machine,
    /// so that a listener of the gateway may be behind it.
    pub(super) fn allows(self, address: IpAddr, here: bool) -> bool {
        match self {
            Self::Named => true,
            Self::Public => !here && is_public(address),
        }
    }
}

/// A URL that names a place: `http` or `https`, a host, and nobody's password.
pub(super) fn parse(url: &str) -> Result<Url, Error> {
    if url.len() > LONGEST_URL {
        return Err(Error::Invalid);
    }
    checked(Url::parse(url).map_err(|_| Error::Invalid)?)
}

/// The same of a URL that was put together.
pub(super) fn checked(url: Url) -> Result<Url, Error> {
    let nobody = url.username().is_empty() && url.password().is_none();
    match nobody && url.as_str().len() <= LONGEST_URL && Origin::of(&url).is_some() {
        true => Ok(url),
        false => Err(Error::Invalid),
    }
}

/// True for addresses of the public internet alone (the registries of special-purpose
/// addresses that RFC 6890 keeps).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|of| of.has(address)),
        // What is not global unicast is not public, whatever it is: loopback (::1),
        // IPv4-mapped (::ffff:0:0/96) and -compatible (::/96), NAT64 (64:ff9b::/96),
        // unique local (fc00::/7), link-local (fe80::/10), multicast (ff00::/8).
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.has(address) && !NOT_PUBLIC_V6.iter().any(|of| of.has(address))
        }
    }
}

/// Addresses that begin with the same bits.
struct Block<A> {
    first: A,
    bits: u32,
}

const fn v4(a: u8, b: u8, c: u8, bits: u32) -> Block<Ipv4Addr> {
    Block {
        first: Ipv4Addr::new(a, b, c, 0),
        bits,
    }
}

const fn v6(a: u16, b: u16, bits: u32) -> Block<Ipv6Addr> {
    Block {
        first: Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0),
        bits,
    }
}

const NOT_PUBLIC_V4: [Block<Ipv4Addr>; 15] = [
    v4(0, 0, 0, 8),       // this network; 0.0.0.0 connects to this machine
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // shared by a carrier's customers
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local: where clouds keep their credentials
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 24),    // documentation
    v4(192, 88, 99, 24),  // relays of 6to4
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // benchmarks
    v4(198, 51, 100, 24), // documentation
    v4(203, 0, 113, 24),  // documentation
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, and broadcast
];

const GLOBAL_UNICAST: Block<Ipv6Addr> = v6(0x2000, 0, 3);

const NOT_PUBLIC_V6: [Block<Ipv6Addr>; 4] = [
    v6(0x2001, 0, 23),     // protocol assignments: Teredo, ORCHID, benchmarks
    v6(0x2001, 0xdb8, 32), // documentation
    v6(0x2002, 0, 16),     // 6to4: an IPv4 address in other clothes
    v6(0x3fff, 0, 20),     // documentation
];

impl Block<Ipv4Addr> {
    fn has(&self, address: Ipv4Addr) -> bool {
        (self.first.to_bits() ^ address.to_bits()) >> (32 - self.bits) == 0
    }
}

impl Block<Ipv6Addr> {
    fn has(&self, address: Ipv6Addr) -> bool {
        (self.first.to_bits() ^ address.to_bits()) >> (128 - self.bits) == 0
    }
}

#[cfg(test)]
mod tests {
    use url::Host;

    use super::*;

    fn policy(origins: &[&str]) -> Policy {
        let origins = origins.iter().map(|origin| of(origin));
        let reach = Reach {
            origins: origins.collect(),
            services: ["users".to_owned()].into(),
        };
        Policy { reach: Some(reach) }
    }

    fn of(url: &str) -> Origin {
        Origin::of(&parse(url).unwrap()).unwrap()
    }

    /// What a policy says of a URL whose name resolves to an address.
    fn ask(policy: &Policy, url: &str, resolved: Option<&str>) -> Result<(), Error> {
        let url = parse(url)?;
        let trust = policy.origin(&Origin::of(&url).ok_or(Error::Invalid)?)?;
        let address = match (url.host(), resolved) {
            (Some(Host::Ipv4(address)), None) => address.into(),
            (Some(Host::Ipv6(address)), None) => address.into(),
            (Some(Host::Domain(_)), Some(address)) => address.parse().unwrap(),
            (host, resolved) => panic!("the test resolves {host:?} to {resolved:?}"),
        };
        match trust.allows(address, false) {
            true => Ok(()),
            false => Err(Error::Denied),
        }
    }

    #[test]
    fn what_leads_back_inside_is_denied_however_it_is_written() {
        let everybody = Policy { reach: None };
        for (url, resolved) in [
            // Loopback, in every notation that a URL parser takes.
            ("http://127.0.0.1/", None),
            ("http://127.0.0.1:8080/admin", None),
            ("http://127.1/", None),
            ("http://127.255.255.254/", None),
            ("http://2130706433/", None),
            ("http://0x7f000001/", None),
            ("http://0177.0.0.1/", None),
            ("http://0x7f.1/", None),
            ("http://017700000001/", None),
            ("http://%31%32%37.0.0.1/", None),
            ("http://\u{2460}\u{2461}\u{2466}.0.0.1/", None),
            ("http:\\\\127.0.0.1\\", None),
            ("http:127.0.0.1", None),
            ("\thttp://127.0.0.1\n", None),
            ("https://127.0.0.1:443", None),
            ("http://0/", None),
            ("http://0.0.0.0:9901/", None),
            ("http://[::1]/", None),
            ("http://[0:0:0:0:0:0:0:1]/", None),
            ("http://[::]/", None),
            ("http://[::ffff:127.0.0.1]/", None),
            ("http://[::ffff:7f00:1]/", None),
            ("http://[::127.0.0.1]/", None),
            ("http://[64:ff9b::7f00:1]/", None),
            ("http://[64:ff9b:1::7f00:1]/", None),
            ("http://[2002:7f00:1::]/", None),
            ("http://[2001:0:7f00:1::]/", None),
            // Names that resolve to it.
            ("http://localhost/", Some("127.0.0.1")),
            ("http://LOCALHOST./", Some("::1")),
            ("http://localtest.example/", Some("127.0.0.53")),
            ("http://a.example/", Some("::ffff:10.0.0.1")),
            // Where clouds keep credentials.
            ("http://169.254.169.254/latest/meta-data/", None),
            ("http://2852039166/", None),
            ("http://[fe80::1]/", None),
            ("http://[fd00:ec2::254]/", None),
            ("http://metadata.example/", Some("169.254.169.254")),
            // The neighbourhood.
            ("http://10.0.0.5:8080/", None),
            ("http://172.16.0.1/", None),
            ("http://172.31.255.255/", None),
            ("http://192.168.1.1/", None),
            ("http://100.64.0.1/", None),
            ("http://100.127.255.255/", None),
            ("http://[fc00::1]/", None),
            ("http://[fdff::1]/", None),
            // What nobody is.
            ("http://224.0.0.1/", None),
            ("http://255.255.255.255/", None),
            ("http://240.0.0.1/", None),
            ("http://192.0.2.1/", None),
            ("http://198.18.0.1/", None),
            ("http://198.51.100.1/", None),
            ("http://203.0.113.1/", None),
            ("http://192.0.0.1/", None),
            ("http://192.88.99.1/", None),
            ("http://[ff02::1]/", None),
            ("http://[2001:db8::1]/", None),
            ("http://[3fff::1]/", None),
            ("http://[2001:20::1]/", None),
        ] {
            assert_eq!(ask(&everybody, url, resolved), Err(Error::Denied), "{url}");
        }
    }

    #[test]
    fn the_public_internet_may_be_asked_on_any_port() {
        let everybody = Policy { reach: None };
        for (url, resolved) in [
            ("http://93.184.215.14/", None),
            ("https://93.184.215.14:8443/a?b", None),
            ("http://172.15.255.255/", None),
            ("http://172.32.0.0/", None),
            ("http://100.63.255.255/", None),
            ("http://100.128.0.0/", None),
            ("http://9.255.255.255/", None),
            ("http://11.0.0.0/", None),
            ("http://223.255.255.255/", None),
            ("http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/", None),
            ("https://id.example.com/", Some("93.184.215.14")),
            ("https://id.example.com/", Some("2001:4860:4860::8888")),
        ] {
            assert_eq!(ask(&everybody, url, resolved), Ok(()), "{url}");
        }
        let here = "93.184.215.14".parse().unwrap();
        assert!(!Trust::Public.allows(here, true), "this machine's own");
        assert!(Trust::Named.allows(here, true));
    }

    #[test]
    fn what_is_named_may_be_asked_and_nothing_beside_it() {
        let policy = policy(&[
            "http://127.0.0.1:9001",
            "https://id.example.com",
            "http://[::1]",
        ]);
        for (url, resolved, expected) in [
            ("http://127.0.0.1:9001/a", None, Ok(())),
            ("http://0x7f.1:9001/a", None, Ok(())),
            ("http://127.0.0.1:9002/", None, Err(Error::Denied)),
            ("http://127.0.0.1/", None, Err(Error::Denied)),
            ("https://127.0.0.1:9001/", None, Err(Error::Denied)),
            ("http://127.0.0.2:9001/", None, Err(Error::Denied)),
            ("http://[::1]:80/", None, Ok(())),
            ("https://id.example.com/jwks", Some("10.0.0.1"), Ok(())),
            ("https://ID.EXAMPLE.com:443/jwks", Some("10.0.0.1"), Ok(())),
            (
                "http://id.example.com/",
                Some("10.0.0.1"),
                Err(Error::Denied),
            ),
            (
                "https://id.example.com:8443/",
                Some("1.1.1.1"),
                Err(Error::Denied),
            ),
            (
                "https://id.example.com.evil.example/",
                Some("1.1.1.1"),
                Err(Error::Denied),
            ),
            (
                "https://evil.example/?https://id.example.com",
                Some("1.1.1.1"),
                Err(Error::Denied),
            ),
            (
                "https://id.example.com./",
                Some("1.1.1.1"),
                Err(Error::Denied),
            ),
            ("http://93.184.215.14/", None, Err(Error::Denied)),
        ] {
            assert_eq!(ask(&policy, url, resolved), expected, "{url}");
        }
        assert_eq!(policy.service("users"), Ok(()));
        assert_eq!(policy.service("orders"), Err(Error::Denied));
        assert_eq!(Policy { reach: None }.service("orders"), Ok(()));
    }

    #[test]
    fn what_names_no_place_is_invalid() {
        let long = format!("http://a.example/{}", "x".repeat(LONGEST_URL));
        for url in [
            "",
            "/path",
            "//a.example/",
            "a.example",
            "http://",
            "http:///",
            "http://?a",
            "http://:80/",
            "http://a.example:99999/",
            "http://a.example:x/",
            "http://a b/",
            "http://user@a.example/",
            "http://user:password@a.example/",
            "http://:password@a.example/",
            "http://127.0.0.1:80@a.example/",
            "http://256.0.0.1/",
            "http://1.2.3.4.5/",
            "http://[::1/",
            "http://[::g]/",
            "http://[fe80::1%25eth0]/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a.example/",
            "unix:/run/socket",
            "data:text/plain,a",
            "javascript:alert(1)",
            "ws://a.example/",
            &long,
        ] {
            assert_eq!(parse(url).map(drop), Err(Error::Invalid), "{url:.80}");
        }
    }
}
