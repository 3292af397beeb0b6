//! TLS in the configuration: its checked form, and its readers.
//!
//! Knows names of files and nothing of what is in them: `tls` reads them, and
//! says what is wrong with them with the key and the position kept here.

use std::path::{Path, PathBuf};

use super::{
    Config, ListenerTls, Position,
    host::is_host,
    node::Value,
    reader::{Fields, Item},
    scalar::{boolean, choice, text},
};

/// A file that a part of the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The file; absolute or resolved against the configuration's directory.
    pub path: PathBuf,
    /// The key that names it, such as `services.users.tls.ca`.
    pub key: String,
    /// Where in the configuration it stands.
    pub at: Position,
}

impl NamedFile {
    /// The file as the admin API shows it: its name, which is no secret.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// A certificate with its chain, and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, then those between it and its root.
    pub certificate: NamedFile,
    /// Its private key.
    pub key: NamedFile,
}

/// The version of HTTP that a service is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, without TLS by prior knowledge.
    Http2,
    /// What the service chooses of the two in the TLS handshake (ALPN).
    Auto,
}

impl Protocol {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Auto => "auto",
        }
    }
}

/// `http1`, `http2`, or, with TLS only, `auto`.
pub(super) fn protocol(item: &Item<'_>, tls: bool) -> Option<Protocol> {
    let all = [Protocol::Http1, Protocol::Http2, Protocol::Auto];
    let protocol = choice(item, &all.map(|protocol| (protocol.as_str(), protocol)))?;
    if protocol == Protocol::Auto && !tls {
        return item.mistake(
            "without TLS the two sides cannot agree on a version",
            "`http1` or `http2`, or `tls` for the service",
        );
    }
    Some(protocol)
}

/// How the instances of a service are spoken to over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTls {
    /// The name that instances have to prove. None: each the host of its address.
    pub server_name: Option<String>,
    /// Roots to trust. None: those of the system.
    pub ca: Option<NamedFile>,
    /// What the gateway shows of itself.
    pub identity: Option<KeyPair>,
    /// Takes every certificate. For tests: whoever is on the way can read and
    /// change all. Default: no.
    pub insecure_skip_verify: bool,
    /// The key of this part.
    pub key: String,
    /// Where in the configuration it stands.
    pub at: Position,
}

impl Config {
    /// The files that the configuration names, which are to be watched with it.
    pub fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let listeners = self.listeners.iter().filter_map(|of| of.tls.as_ref());
        let services = self.services.iter().filter_map(|of| of.tls.as_ref());
        let of_listeners = listeners.flat_map(ListenerTls::files);
        of_listeners.chain(services.flat_map(ServiceTls::files))
    }
}

impl ServiceTls {
    fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let pair = self.identity.iter();
        let pair = pair.flat_map(|pair| [&pair.certificate, &pair.key]);
        self.ca.iter().chain(pair)
    }
}

impl Config {
    /// The files of the certificates that the gateway shows of itself.
    pub fn shown_certificates(&self) -> impl Iterator<Item = &NamedFile> {
        let listeners = self.listeners.iter().filter_map(|of| of.tls.as_ref());
        let services = self.services.iter().filter_map(|of| of.tls.as_ref());
        let pairs = listeners.flat_map(|tls| &tls.certificates);
        let pairs = pairs.chain(services.filter_map(|tls| tls.identity.as_ref()));
        pairs.map(|pair| &pair.certificate)
    }
}

/// What `tls: true` means.
impl Default for ServiceTls {
    fn default() -> Self {
        Self {
            server_name: None,
            ca: None,
            identity: None,
            insecure_skip_verify: false,
            key: String::new(),
            at: Position::START,
        }
    }
}

/// `true`, `false`, or `{ server_name, ca, certificate, key, insecure_skip_verify }`.
pub(super) fn service_tls(item: &Item<'_>, base: &Path) -> Option<ServiceTls> {
    let usual = ServiceTls {
        key: item.key.clone(),
        at: item.at(),
        ..ServiceTls::default()
    };
    if !matches!(item.node.value, Value::Map(_)) {
        return boolean(item)?.then_some(usual);
    }
    let fields = item.fields(&[
        "server_name",
        "ca",
        "certificate",
        "key",
        "insecure_skip_verify",
    ])?;
    let insecure = fields.get("insecure_skip_verify");
    let insecure_skip_verify = insecure.as_ref().and_then(boolean).unwrap_or(false);
    let ca = fields.get("ca");
    if let (true, Some(ca)) = (insecure_skip_verify, &ca) {
        ca.mistake::<()>(
            "roots are of no use where nothing is verified",
            "leave out `insecure_skip_verify`",
        );
    }
    Some(ServiceTls {
        server_name: fields.read("server_name", server_name),
        ca: ca.and_then(|item| named_file(&item, base)),
        identity: identity(&fields, base),
        insecure_skip_verify,
        ..usual
    })
}

/// `certificate` and `key`, both or neither.
fn identity(fields: &Fields<'_>, base: &Path) -> Option<KeyPair> {
    if fields.get("certificate").is_none() && fields.get("key").is_none() {
        return None;
    }
    key_pair(fields, base)
}

/// `certificate` and `key`, which must be there.
pub(super) fn key_pair(fields: &Fields<'_>, base: &Path) -> Option<KeyPair> {
    let file = |item: &Item<'_>| named_file(item, base);
    let certificate = fields.require("certificate", "tls/cert.pem", file);
    let key = fields.require("key", "tls/key.pem", file);
    Some(KeyPair {
        certificate: certificate?,
        key: key?,
    })
}

pub(super) fn named_file(item: &Item<'_>, base: &Path) -> Option<NamedFile> {
    let path = text(item)?;
    if path.is_empty() || path.contains('\0') {
        return item.mistake("not the name of a file", "such as `tls/ca.pem`");
    }
    Some(NamedFile {
        path: base.join(path),
        key: item.key.clone(),
        at: item.at(),
    })
}

fn server_name(item: &Item<'_>) -> Option<String> {
    let name = text(item)?;
    if is_host(name) {
        return Some(name.to_ascii_lowercase());
    }
    item.mistake(
        format!("{} is not the name of a host", item.shown(name)),
        "such as `users.internal`, without a port",
    )
}
