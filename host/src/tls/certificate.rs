//! What a certificate says: whose it is, under which names, until when.

use std::{
    fmt::Write as _,
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whose it is (RFC 4514).
    pub(super) subject: String,
    /// When it ends.
    pub(super) until: SystemTime,
    /// The hosts that it is for, lower-case, some of them wildcards.
    pub(super) hosts: Vec<String>,
    /// All its names, such as `DNS:a.example,URI:spiffe://b/c`.
    pub(super) names: String,
}

impl Facts {
    /// Those of a certificate; none if it is malformed.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = Certificate::from_der(certificate).ok()?.tbs_certificate;
        let names = parsed.get::<SubjectAltName>().ok()?;
        let names = names.map_or_else(Vec::new, |(_critical, names)| names.0);
        let hosts = names.iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
            _ => None,
        });
        Some(Self {
            subject: parsed.subject.to_string(),
            until: UNIX_EPOCH + parsed.validity.not_after.to_unix_duration(),
            hosts: hosts.collect(),
            names: shown(&names),
        })
    }
}

/// As OpenSSL shows them, with commas alone between them. A name in which there
/// is a comma is left out, since it could pass for two.
fn shown(names: &[GeneralName]) -> String {
    let mut shown = String::new();
    for name in names {
        let (kind, name) = match name {
            GeneralName::DnsName(name) => ("DNS", name.to_string()),
            GeneralName::UniformResourceIdentifier(name) => ("URI", name.to_string()),
            GeneralName::Rfc822Name(name) => ("email", name.to_string()),
            GeneralName::IpAddress(bytes) => match address(bytes.as_bytes()) {
                Some(address) => ("IP", address.to_string()),
                None => continue,
            },
            _ => continue,
        };
        if name.contains(',') || name.chars().any(char::is_control) {
            continue;
        }
        let comma = if shown.is_empty() { "" } else { "," };
        write!(shown, "{comma}{kind}:{name}").expect("invariant: writing to a String cannot fail");
    }
    shown
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}
