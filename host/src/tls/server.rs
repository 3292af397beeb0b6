//! The gateway as a server: which certificate it shows, and what it asks for.

use std::{collections::HashMap, fmt, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::Ticketer,
    server::{
        ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::config::{ClientAuth, Diagnostics, KeyPair, ListenerTls, TlsVersion};

use super::{
    certificate::Facts,
    facts::{HTTP1, HTTP2},
    file::{Files, Fingerprint},
    provider,
};

/// What TLS is spoken with on a listener. Sessions are resumed by tickets, with
/// keys of its own: one that was begun under other settings is not resumed.
pub struct ServerTls {
    config: Arc<ServerConfig>,
    forwards: bool,
    pub(super) fingerprint: Fingerprint,
}

impl ServerTls {
    /// Reads the files of a listener's settings; none if something is wrong,
    /// which is in `mistakes` then. Blocks.
    pub fn read(options: &ListenerTls, mistakes: &mut Diagnostics) -> Option<Self> {
        let mut files = Files::new(mistakes);
        let mut certificates = Certificates::default();
        let mut whole = true;
        for pair in &options.certificates {
            match certified(pair, &mut files) {
                Some((key, hosts)) => certificates.add(key, hosts),
                None => whole = false,
            }
        }
        let verifier = match &options.client_auth {
            None => Some(Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>),
            Some(auth) => verifier(auth, &mut files),
        };
        let versions = match options.min_version {
            TlsVersion::V12 => &[&TLS13, &TLS12][..],
            TlsVersion::V13 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("invariant: ring has cipher suites for both versions")
            .with_client_cert_verifier(verifier.filter(|_| whole)?)
            .with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        match Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            // Sessions are resumed from the gateway's own memory then.
            Err(error) => tracing::warn!("no keys for session tickets: {error}"),
        }
        let auth = options.client_auth.as_ref();
        let forwards = auth.is_some_and(|auth| auth.forward);
        files.also(&[
            options.min_version as u8,
            u8::from(auth.is_some_and(|auth| auth.required)),
            u8::from(forwards),
        ]);
        Some(Self {
            config: Arc::new(config),
            forwards,
            fingerprint: files.fingerprint(),
        })
    }

    /// What handshakes are done with.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Whether services are told a client's certificate.
    pub fn forwards(&self) -> bool {
        self.forwards
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// A pair that goes together, and the hosts that it is for.
fn certified(pair: &KeyPair, files: &mut Files<'_>) -> Option<(CertifiedKey, Vec<String>)> {
    let certificates = files.certificates(&pair.certificate);
    let key = files.key(&pair.key);
    let certificates = certificates?;
    let facts = Facts::of(certificates.first()?);
    let certified = match CertifiedKey::from_der(certificates, key?, &provider()) {
        Ok(certified) => certified,
        Err(error) => {
            let what = format!("does not go with its certificate: {error}");
            return files.mistake(&pair.key, &what, "is it the key of this certificate?");
        }
    };
    let Some(facts) = facts else {
        let hint = "is it made for a server?";
        return files.mistake(&pair.certificate, "is no well-formed certificate", hint);
    };
    Some((certified, facts.hosts))
}

fn verifier(auth: &ClientAuth, files: &mut Files<'_>) -> Option<Arc<dyn ClientCertVerifier>> {
    let roots: RootCertStore = files.roots(&auth.ca)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = match auth.required {
        true => builder,
        false => builder.allow_unauthenticated(),
    };
    match builder.build() {
        Ok(verifier) => Some(verifier),
        Err(error) => files.mistake(&auth.ca, &format!("cannot be used: {error}"), "see above"),
    }
}

/// Certificates by host: exact, then wildcard, then the first of all.
#[derive(Debug, Default)]
struct Certificates {
    by_host: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    all: Vec<Arc<CertifiedKey>>,
}

impl Certificates {
    fn add(&mut self, key: CertifiedKey, hosts: Vec<String>) {
        let key = Arc::new(key);
        for host in hosts {
            let of_host = self.by_host.entry(host.into()).or_default();
            of_host.push(Arc::clone(&key));
        }
        self.all.push(key);
    }

    fn of(&self, host: &str) -> Option<&[Arc<CertifiedKey>]> {
        let host = host.to_ascii_lowercase();
        let exact = self.by_host.get(&*host);
        let found = exact.or_else(|| {
            let (_label, domain) = host.split_once('.')?;
            self.by_host.get(&*format!("*.{domain}"))
        });
        found.map(Vec::as_slice)
    }
}

impl ResolvesServerCert for Certificates {
    /// Of several for one host, the first whose key the client can verify.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let of_host = hello.server_name().and_then(|host| self.of(host));
        let candidates = of_host.unwrap_or(&self.all);
        let schemes = hello.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let fitting = candidates.iter().find(fits);
        fitting.or(candidates.first()).cloned()
    }
}
