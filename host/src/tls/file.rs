//! Files of certificates and keys: bounded, PEM, and read once each time.

use std::{fs::File, io::Read};

use ring::digest::{Context, SHA256};
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use crate::config::{Diagnostic, Diagnostics, NamedFile};

/// The largest file: the roots of a whole system are less.
const LARGEST: u64 = 4 << 20;

/// Tells one content of all files that a part names from another.
pub(super) type Fingerprint = [u8; 32];

/// Reads files, notes what is wrong with them, and what they were.
pub(super) struct Files<'a> {
    mistakes: &'a mut Diagnostics,
    seen: Context,
}

impl<'a> Files<'a> {
    pub(super) fn new(mistakes: &'a mut Diagnostics) -> Self {
        Self {
            mistakes,
            seen: Context::new(&SHA256),
        }
    }

    /// The certificates in a file, at least one.
    pub(super) fn certificates(
        &mut self,
        file: &NamedFile,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let bytes = self.bytes(file)?;
        let certificates: Result<Vec<_>, pem::Error> =
            CertificateDer::pem_slice_iter(&bytes).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Some(certificates),
            Ok(_) => self.mistake(
                file,
                "has no certificate in it",
                "PEM: it begins with `-----BEGIN CERTIFICATE-----`",
            ),
            Err(error) => self.mistake(file, &format!("is not PEM: {error}"), "is it whole?"),
        }
    }

    /// The roots in a file, at least one.
    pub(super) fn roots(&mut self, file: &NamedFile) -> Option<RootCertStore> {
        let mut store = RootCertStore::empty();
        for certificate in self.certificates(file)? {
            if let Err(error) = store.add(certificate) {
                let what = format!("has a certificate that is no root: {error}");
                return self.mistake(file, &what, "is it a certificate of an authority?");
            }
        }
        Some(store)
    }

    /// The first private key in a file.
    pub(super) fn key(&mut self, file: &NamedFile) -> Option<PrivateKeyDer<'static>> {
        let bytes = self.bytes(file)?;
        match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(key) => Some(key),
            Err(pem::Error::NoItemsFound) => self.mistake(
                file,
                "has no private key in it",
                "PEM, not encrypted: it begins with `-----BEGIN PRIVATE KEY-----`",
            ),
            // What the parser says could repeat a part of the key.
            Err(_) => self.mistake(file, "is not PEM", "is it whole?"),
        }
    }

    /// Notes what is wrong with a file; always none.
    pub(super) fn mistake<T>(&mut self, file: &NamedFile, what: &str, hint: &str) -> Option<T> {
        let message = format!("{} {what}", file.path.display());
        let mistake = Diagnostic::new(file.at, &file.key, message).hint(hint);
        self.mistakes.push(mistake);
        None
    }

    /// Notes a mistake that is not a file's.
    pub(super) fn note(&mut self, mistake: Diagnostic) {
        self.mistakes.push(mistake);
    }

    /// Takes something else into the fingerprint.
    pub(super) fn also(&mut self, bytes: &[u8]) {
        self.seen.update(&(bytes.len() as u64).to_be_bytes());
        self.seen.update(bytes);
    }

    /// Of all that was read.
    pub(super) fn fingerprint(self) -> Fingerprint {
        let digest = self.seen.finish();
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(digest.as_ref());
        fingerprint
    }

    fn bytes(&mut self, file: &NamedFile) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(&file.path)
            .and_then(|opened| opened.take(LARGEST + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => {
                let what = format!("cannot be read: {error}");
                return self.mistake(
                    file,
                    &what,
                    "is the path right, and may the gateway read it?",
                );
            }
            Ok(length) if length as u64 > LARGEST => {
                return self.mistake(file, "is too large", "at most 4 MiB");
            }
            Ok(_) => {}
        }
        self.also(&bytes);
        Some(bytes)
    }
}
