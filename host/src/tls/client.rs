//! The gateway as a client: what it trusts, and what it shows of itself.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    pki_types::{CertificateDer, ServerName},
};

use crate::config::{Config, Diagnostic, Diagnostics, Protocol, ServiceTls};

use super::{
    facts::{HTTP1, HTTP2},
    file::{Files, Fingerprint},
    provider,
    verify::Anything,
};

/// How a service, or any other server, is spoken to over TLS. To be shared by
/// all connections to it: sessions that can be resumed are kept in it.
///
/// Two are equal if they were made of the same settings and the same files.
pub struct ClientTls {
    config: Arc<ClientConfig>,
    fingerprint: Fingerprint,
}

/// The settings of the services that have some, by name.
#[derive(Debug, Default, Clone)]
pub struct Clients(BTreeMap<String, Arc<ClientTls>>);

/// A text is neither the name of a host nor an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a host name nor an IP address")]
pub struct BadName;

/// What a server has to prove to be, from the host of an address or URL.
///
/// # Errors
///
/// If it is neither a host name nor an IP address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, BadName> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    ServerName::try_from(bare.unwrap_or(host).to_owned()).map_err(|_invalid| BadName)
}

impl ClientTls {
    /// Trusts the roots of the system and shows nothing of itself: what a
    /// public server is spoken to with. Blocks.
    ///
    /// # Errors
    ///
    /// If the system has no roots; says so in words.
    pub fn of_system() -> Result<Self, String> {
        let mut mistakes = Diagnostics::new("");
        let made = Self::read(&ServiceTls::default(), Protocol::Http1, &mut mistakes);
        made.ok_or_else(|| match mistakes.iter().next() {
            Some(mistake) => mistake.message.clone(),
            None => String::new(),
        })
    }

    /// Reads the files of a service's settings; none if something is wrong,
    /// which is in `mistakes` then. Blocks.
    pub fn read(
        options: &ServiceTls,
        protocol: Protocol,
        mistakes: &mut Diagnostics,
    ) -> Option<Self> {
        let mut files = Files::new(mistakes);
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("invariant: ring has cipher suites for the default versions");
        let builder = match options.insecure_skip_verify {
            true => Some(
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(Anything(provider()))),
            ),
            false => roots(options, &mut files).map(|roots| builder.with_root_certificates(roots)),
        };
        let mut config = with_identity(builder, options, &mut files)?;
        let offered: &[&[u8]] = match protocol {
            Protocol::Http1 => &[HTTP1],
            Protocol::Http2 => &[HTTP2],
            Protocol::Auto => &[HTTP2, HTTP1],
        };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        files.also(&[u8::from(options.insecure_skip_verify), protocol as u8]);
        Some(Self {
            config: Arc::new(config),
            fingerprint: files.fingerprint(),
        })
    }

    /// What a handshake is done with.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

impl Clients {
    /// Reads the files of every service that has TLS. Blocks.
    pub fn read(config: &Config, mistakes: &mut Diagnostics) -> Self {
        let read = config.services.iter().filter_map(|service| {
            let client = ClientTls::read(service.tls.as_ref()?, service.protocol, mistakes)?;
            Some((service.name.clone(), Arc::new(client)))
        });
        Self(read.collect())
    }

    /// Those of a service.
    pub fn of(&self, service: &str) -> Option<&Arc<ClientTls>> {
        self.0.get(service)
    }

    /// What tells these from others.
    pub fn fingerprints(&self) -> Vec<[u8; 32]> {
        self.0.values().map(|client| client.fingerprint).collect()
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for ClientTls {}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

fn roots(options: &ServiceTls, files: &mut Files<'_>) -> Option<RootCertStore> {
    let Some(ca) = &options.ca else {
        return system_roots(options, files);
    };
    files.roots(ca)
}

/// As many of the system's roots as can be used: there are always some that
/// are out of fashion.
fn system_roots(options: &ServiceTls, files: &mut Files<'_>) -> Option<RootCertStore> {
    let found: Vec<CertificateDer<'_>> = rustls_native_certs::load_native_certs().certs;
    let mut store = RootCertStore::empty();
    found.iter().for_each(|root| files.also(root));
    store.add_parsable_certificates(found);
    if store.is_empty() {
        let message = "this system has no root certificates to verify with";
        let hint = "install them (`ca-certificates`), or name a file with `ca`";
        files.note(Diagnostic::new(options.at, &options.key, message).hint(hint));
        return None;
    }
    Some(store)
}

/// Reads what the gateway shows of itself, also where `builder` is none
/// already, so that all mistakes are found.
fn with_identity(
    builder: Option<ConfigBuilder<ClientConfig, WantsClientCert>>,
    options: &ServiceTls,
    files: &mut Files<'_>,
) -> Option<ClientConfig> {
    let Some(identity) = &options.identity else {
        return Some(builder?.with_no_client_auth());
    };
    let certificates = files.certificates(&identity.certificate);
    let key = files.key(&identity.key);
    match builder?.with_client_auth_cert(certificates?, key?) {
        Ok(config) => Some(config),
        Err(error) => {
            let what = format!("does not go with its certificate: {error}");
            files.mistake(&identity.key, &what, "is it the key of this certificate?")
        }
    }
}
