//! Cryptography by the host, since a public-key operation in a sandbox costs
//! forty times as much.

use crate::{Error, Result, host::crypto as host};

pub use crate::bindings::imports::portcullis::gateway::crypto::{Algorithm, DigestAlgorithm};

/// A key that signatures are verified with. Parse it once, in `configure`.
///
/// Holds one kind of key: a public key is never usable as an HMAC secret.
#[derive(Debug)]
pub struct VerificationKey(host::VerificationKey);

impl VerificationKey {
    /// A secret of any length, for the HS algorithms.
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Self {
        Self(host::VerificationKey::from_secret(secret.as_ref()))
    }

    /// A public key as PEM text (`BEGIN PUBLIC KEY`, RFC 7468; or
    /// `BEGIN RSA PUBLIC KEY`). RSA keys have 2,048 to 8,192 bits.
    ///
    /// # Errors
    /// If the text holds no such key.
    pub fn from_pem(pem: &str) -> Result<Self> {
        host::VerificationKey::from_pem(pem)
            .map(Self)
            .map_err(Error::failure)
    }

    /// One JSON Web Key as JSON text (RFC 7517): `kty` RSA, EC, OKP or oct.
    ///
    /// # Errors
    /// If the text is no such key.
    pub fn from_jwk(jwk: &str) -> Result<Self> {
        host::VerificationKey::from_jwk(jwk)
            .map(Self)
            .map_err(Error::failure)
    }

    /// The algorithms that this key may be used with.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.0.algorithms()
    }

    /// True if the signature is this key's over the message. False also when
    /// the key is not one for the algorithm. EC signatures are the
    /// fixed-length form of RFC 7515.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(algorithm, message, signature)
    }
}

/// The digest of some bytes.
pub fn digest(algorithm: DigestAlgorithm, data: impl AsRef<[u8]>) -> Vec<u8> {
    host::digest(algorithm, data.as_ref())
}

/// True if both are equal, in time that depends on their lengths only.
pub fn constant_time_equal(a: impl AsRef<[u8]>, b: impl AsRef<[u8]>) -> bool {
    host::constant_time_equal(a.as_ref(), b.as_ref())
}
