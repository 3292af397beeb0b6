//! Everything about TLS of one configuration, read once.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::config::{Config, Diagnostic, Diagnostics, NamedFile};

use super::{Clients, ServerTls, certificate::Facts};

/// How long before its end a certificate is warned of.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Everything about TLS of one configuration.
#[derive(Debug, Default)]
pub struct Settings {
    /// How services are spoken to.
    pub clients: Clients,
    /// What each listener speaks, in the order of the configuration; none for
    /// those without TLS.
    pub servers: Vec<Option<Arc<ServerTls>>>,
    /// The certificates that the gateway shows, to clients and services.
    pub certificates: Vec<Shown>,
}

/// A certificate that the gateway shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its file.
    pub file: PathBuf,
    /// When it ends.
    pub until: SystemTime,
    named: NamedFile,
}

impl Settings {
    /// Reads all files that a configuration names. What is wrong with them is in
    /// `mistakes` then. Blocks.
    pub fn read(config: &Config, mistakes: &mut Diagnostics) -> Self {
        let servers = config.listeners.iter();
        let servers = servers.map(|listener| {
            let read = ServerTls::read(listener.tls.as_ref()?, mistakes);
            read.map(Arc::new)
        });
        let servers = servers.collect();
        Self {
            servers,
            clients: Clients::read(config, mistakes),
            certificates: config.shown_certificates().filter_map(shown).collect(),
        }
    }

    /// What tells the files from others.
    pub fn fingerprints(&self) -> Vec<[u8; 32]> {
        let servers = self.servers.iter().flatten();
        let mut all = self.clients.fingerprints();
        all.extend(servers.map(|server| server.fingerprint));
        all
    }

    /// What works and still deserves a look: `check` and the log say it.
    pub fn warnings(&self, config: &Config, now: SystemTime) -> Diagnostics {
        let mut warnings = Diagnostics::new(&config.file);
        for service in &config.services {
            let Some(tls) = service.tls.as_ref().filter(|tls| tls.insecure_skip_verify) else {
                continue;
            };
            let key = format!("{}.insecure_skip_verify", tls.key);
            let message = "whoever is between the gateway and the service can read and change all";
            let warning = Diagnostic::new(tls.at, key, message);
            warnings.push(warning.hint("name the authority's certificate with `ca` instead"));
        }
        for certificate in &self.certificates {
            if let Some(message) = certificate.ends_soon(now) {
                let NamedFile { at, key, .. } = &certificate.named;
                let warning = Diagnostic::new(*at, key, message);
                warnings.push(warning.hint("renew it: a changed file is taken at once"));
            }
        }
        warnings
    }
}

impl Shown {
    /// Seconds until it ends; below 0 when it has.
    pub fn seconds_left(&self, now: SystemTime) -> i64 {
        match self.until.duration_since(now) {
            Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            Err(past) => i64::try_from(past.duration().as_secs()).map_or(i64::MIN, |past| -past),
        }
    }

    fn ends_soon(&self, now: SystemTime) -> Option<String> {
        let file = self.file.display();
        match self.until.duration_since(now) {
            Err(_past) => Some(format!("{file} has expired")),
            Ok(left) if left < SOON => {
                let days = left.as_secs() / (24 * 60 * 60);
                Some(format!("{file} expires in {days} days"))
            }
            Ok(_) => None,
        }
    }
}

/// None for a file that cannot be read, which is a mistake noted elsewhere.
fn shown(named: &NamedFile) -> Option<Shown> {
    let certificate = CertificateDer::from_pem_file(&named.path).ok()?;
    let Facts { until, .. } = Facts::of(&certificate)?;
    Some(Shown {
        file: named.path.clone(),
        until,
        named: named.clone(),
    })
}
