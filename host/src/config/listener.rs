//! Listeners: their checked form, and their readers.

use std::{net::SocketAddr, path::Path};

use super::{
    Admin, KeyPair, NamedFile, Networks, Position,
    address::socket,
    networks::networks,
    node::Value,
    reader::{Fields, Item},
    scalar::{boolean, choice},
    tls::{key_pair, named_file},
};

/// One address that traffic is accepted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 picks a free one.
    pub address: SocketAddr,
    /// What TLS is spoken with. None: none is.
    pub tls: Option<ListenerTls>,
    /// Whose word on the client is taken. Default: nobody's.
    pub trusted_proxies: Networks,
    /// Who connects, and says by the PROXY protocol for whom. None: it is not
    /// spoken.
    pub proxy_protocol: Option<Networks>,
}

/// What TLS is spoken with on a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; the first is for clients that name no host, or one that
    /// none of them is for.
    pub certificates: Vec<KeyPair>,
    /// What clients have to show. None: nothing.
    pub client_auth: Option<ClientAuth>,
    /// The oldest version that is spoken. Default: 1.2.
    pub min_version: TlsVersion,
    /// The key of this part.
    pub key: String,
    /// Where in the configuration it stands.
    pub at: Position,
}

/// What clients have to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities that sign clients' certificates.
    pub ca: NamedFile,
    /// Whether a client without a certificate is refused. Default: yes.
    pub required: bool,
    /// Whether services are told the certificate, in `Client-Cert` (RFC 9440).
    /// Default: no.
    pub forward: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V12,
    /// TLS 1.3.
    V13,
}

impl Listener {
    /// True if `new` can take the place of this one without a restart: what
    /// differs is at most what TLS is spoken with, and who is trusted.
    pub fn can_become(&self, new: &Self) -> bool {
        let same = self.address == new.address && self.proxy_protocol == new.proxy_protocol;
        same && self.tls.is_some() == new.tls.is_some()
    }
}

impl TlsVersion {
    /// `1.2` or `1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

impl ListenerTls {
    /// The files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let pairs = self.certificates.iter();
        let pairs = pairs.flat_map(|pair| [&pair.certificate, &pair.key]);
        pairs.chain(self.client_auth.iter().map(|auth| &auth.ca))
    }
}

/// A list, not empty, of addresses that differ.
pub(super) fn listeners(
    item: &Item<'_>,
    base: &Path,
    trusted: &Networks,
    admin_item: Option<&Item<'_>>,
    admin: Option<&Admin>,
) -> Option<Vec<Listener>> {
    let items = item.list("`- address: 127.0.0.1:8080`")?;
    if items.is_empty() {
        return item.mistake(
            "without a listener no request can come in",
            "such as `- address: 127.0.0.1:8080`",
        );
    }
    let mut taken: Vec<(SocketAddr, String)> = Vec::new();
    if let Some(admin) = admin {
        let at = admin_item.map_or("by default".to_owned(), |item| format!("at {}", item.at()));
        taken.push((admin.address, format!("the admin listener has it ({at})")));
    }
    let listeners = items.iter();
    let listeners = listeners.filter_map(|item| listener(item, base, trusted, &mut taken));
    Some(listeners.collect())
}

fn listener(
    item: &Item<'_>,
    base: &Path,
    trusted: &Networks,
    taken: &mut Vec<(SocketAddr, String)>,
) -> Option<Listener> {
    let fields = item.fields(&["address", "tls", "trusted_proxies", "proxy_protocol"])?;
    let tls = fields.get("tls");
    let tls = tls.map(|item| listener_tls(&item, base));
    let address = fields.require("address", "127.0.0.1:8080", socket)?;
    if let Some((_, by)) = taken
        .iter()
        .find(|(other, _)| *other == address && address.port() != 0)
    {
        return item.mistake(format!("`{address}` is taken"), by.clone());
    }
    taken.push((address, format!("the listener at {} has it", item.at())));
    Some(Listener {
        address,
        // One whose TLS cannot be read is none, rather than one without.
        tls: match tls {
            None => None,
            Some(tls) => Some(tls?),
        },
        trusted_proxies: fields.read_or("trusted_proxies", trusted.clone(), networks),
        proxy_protocol: match fields.get("proxy_protocol") {
            None => None,
            // One that cannot be read is none, rather than one without.
            Some(item) => senders(&item)?,
        },
    })
}

/// `true` for everybody, `false` for nobody, or who may send.
fn senders(item: &Item<'_>) -> Option<Option<Networks>> {
    match item.node.value {
        Value::List(_) => networks(item).map(Some),
        _ => boolean(item).map(|all| all.then(Networks::all)),
    }
}

fn listener_tls(item: &Item<'_>, base: &Path) -> Option<ListenerTls> {
    let fields = item.fields(&["certificates", "client_auth", "min_version"])?;
    let example = "[{ certificate: tls/cert.pem, key: tls/key.pem }]";
    let certificates = fields.require("certificates", example, |item| certificates(item, base));
    let versions = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
    let client_auth = fields.get("client_auth");
    let client_auth = client_auth.map(|item| client_auth_of(&item, base));
    Some(ListenerTls {
        min_version: fields.read_or("min_version", TlsVersion::default(), |item| {
            choice(item, &versions)
        }),
        certificates: certificates?,
        client_auth: match client_auth {
            None => None,
            Some(auth) => Some(auth?),
        },
        key: item.key.clone(),
        at: item.at(),
    })
}

fn certificates(item: &Item<'_>, base: &Path) -> Option<Vec<KeyPair>> {
    let items = item.list("`- { certificate: tls/cert.pem, key: tls/key.pem }`")?;
    if items.is_empty() {
        return item.mistake("there is no certificate to show", "one at least");
    }
    let pair = |item: &Item<'_>| {
        let fields: Fields<'_> = item.fields(&["certificate", "key"])?;
        key_pair(&fields, base)
    };
    Some(items.iter().filter_map(pair).collect())
}

fn client_auth_of(item: &Item<'_>, base: &Path) -> Option<ClientAuth> {
    let fields = item.fields(&["ca", "required", "forward"])?;
    let ca = fields.require("ca", "tls/clients.pem", |item| named_file(item, base));
    Some(ClientAuth {
        required: fields.read_or("required", true, boolean),
        forward: fields.read_or("forward", false, boolean),
        ca: ca?,
    })
}
