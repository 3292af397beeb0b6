//! Where a connection goes, and what is spoken on it: the key of the pool.

use std::{
    hash::{Hash, Hasher},
    net::SocketAddr,
    sync::Arc,
};

use http::HeaderValue;

use crate::tls::{ClientTls, ServerName};

pub use crate::config::Protocol;

/// Where a connection goes, and what is spoken on it. Connections are kept
/// apart by it: one that was opened for a name, roots or a certificate of our
/// own is never used for others.
///
/// Cheap to clone; a clone of a plain one touches nothing shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    address: SocketAddr,
    protocol: Protocol,
    tls: Option<Arc<Secured>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Secured {
    name: ServerName<'static>,
    client: Arc<ClientTls>,
}

impl Target {
    /// HTTP/1.1 over TCP.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            protocol: Protocol::Http1,
            tls: None,
        }
    }

    /// HTTP/1.1 over TLS. The other side has to prove `name`
    /// ([`server_name`](crate::tls::server_name)), which it is told if it is no
    /// IP address.
    pub fn secured(address: SocketAddr, name: ServerName<'static>, client: Arc<ClientTls>) -> Self {
        let tls = Some(Arc::new(Secured { name, client }));
        Self {
            address,
            protocol: Protocol::Http1,
            tls,
        }
    }

    /// The same with another version of HTTP. Without TLS `Auto` is HTTP/1.1. With
    /// TLS the settings have to offer it (ALPN).
    #[must_use]
    pub fn speaking(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The version of HTTP that is spoken.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name to prove, and what to trust; none where there is no TLS.
    pub(super) fn tls(&self) -> Option<(&ServerName<'static>, &ClientTls)> {
        let Secured { name, client } = self.tls.as_deref()?;
        Some((name, client))
    }

    /// What a request that is the gateway's own says in `Host`: the name
    /// and the port where there is a name, else the address.
    pub fn host(&self) -> HeaderValue {
        let host = match self.tls() {
            Some((ServerName::DnsName(name), _)) => {
                format!("{}:{}", name.as_ref(), self.address.port())
            }
            _ => self.address.to_string(),
        };
        HeaderValue::try_from(host).expect("invariant: host names and addresses are printable")
    }
}

/// Of the address alone: it is what differs, as a rule.
impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}
