//! A key that signatures are verified with.

use ring::{
    hmac,
    signature::{self, RsaPublicKeyComponents, UnparsedPublicKey},
};

use super::{Algorithm, jwk, pem};

/// Why a key cannot be used. Says what to do instead where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

impl KeyError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// One key, of one family, for the algorithms of that family.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    material: Material,
    /// The one algorithm that the key itself is bound to, if it is.
    pinned: Option<Algorithm>,
}

/// The families. A point of a curve is checked by `ring` at each use: one that
/// is not on the curve verifies nothing.
#[derive(Debug, Clone)]
enum Material {
    /// One secret, prepared for each of the three hashes.
    Secret(Box<[hmac::Key; 3]>),
    Rsa(RsaPublicKeyComponents<Box<[u8]>>),
    P256(Box<[u8]>),
    P384(Box<[u8]>),
    Ed25519(Box<[u8]>),
}

impl VerificationKey {
    /// A secret of any length, for the HS algorithms.
    pub fn from_secret(secret: &[u8]) -> Self {
        let hashes = [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512];
        let keys = hashes.map(|hash| hmac::Key::new(hash, secret));
        Self::of(Material::Secret(Box::new(keys)))
    }

    /// A public key as PEM text: `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// Not PEM, not a public key, of a kind or size that is not supported.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        pem::parse(text)
    }

    /// One JSON Web Key (RFC 7517) as JSON text, of type RSA, EC, OKP or oct.
    /// With `alg` it is usable with that algorithm only.
    ///
    /// # Errors
    /// Not such a key, a private one, one not meant for signatures, or of a
    /// kind or size that is not supported.
    pub fn from_jwk(text: &str) -> Result<Self, KeyError> {
        jwk::parse(text)
    }

    /// The algorithms that this key may be used with.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        let family = self.family();
        match self.pinned {
            None => family,
            Some(pinned) => {
                let index = family.iter().position(|of| *of == pinned);
                index.map_or(&[], |index| &family[index..=index])
            }
        }
    }

    /// True if the signature is this key's over the message. False also where
    /// the key is not one for the algorithm.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.algorithms().contains(&algorithm) {
            return false;
        }
        match &self.material {
            Material::Secret(keys) => {
                let key = match algorithm {
                    Algorithm::Hs256 => &keys[0],
                    Algorithm::Hs384 => &keys[1],
                    _ => &keys[2],
                };
                hmac::verify(key, message, signature).is_ok()
            }
            Material::Rsa(key) => key
                .verify(rsa_parameters(algorithm), message, signature)
                .is_ok(),
            Material::P256(point) => verifies(
                &signature::ECDSA_P256_SHA256_FIXED,
                point,
                message,
                signature,
            ),
            Material::P384(point) => verifies(
                &signature::ECDSA_P384_SHA384_FIXED,
                point,
                message,
                signature,
            ),
            Material::Ed25519(key) => verifies(&signature::ED25519, key, message, signature),
        }
    }

    /// An RSA key of that modulus and exponent, both big-endian.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let (n, e) = (stripped(modulus), stripped(exponent));
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::new(format!(
                "an RSA key of {bits} bits: 2048 to 8192 are supported"
            )));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
        if !odd(n) || !odd(e) || *e == [1] || e.len() > 4 {
            return Err(KeyError::new(
                "not an RSA public key: its modulus or exponent cannot be one",
            ));
        }
        Ok(Self::of(Material::Rsa(RsaPublicKeyComponents {
            n: n.into(),
            e: e.into(),
        })))
    }

    /// A point of P-256, uncompressed: 4, x, y.
    pub(super) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        uncompressed(point, 32).map(|point| Self::of(Material::P256(point)))
    }

    /// A point of P-384, uncompressed: 4, x, y.
    pub(super) fn p384(point: &[u8]) -> Result<Self, KeyError> {
        uncompressed(point, 48).map(|point| Self::of(Material::P384(point)))
    }

    /// An Ed25519 public key.
    pub(super) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        match key.len() {
            32 => Ok(Self::of(Material::Ed25519(key.into()))),
            bytes => Err(KeyError::new(format!(
                "an Ed25519 public key has 32 bytes, not {bytes}"
            ))),
        }
    }

    /// Binds the key to one algorithm of its family.
    pub(super) fn pinned_to(self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !self.family().contains(&algorithm) {
            let names: Vec<_> = self.family().iter().map(|of| of.as_str()).collect();
            return Err(KeyError::new(format!(
                "`alg` is {} but this kind of key is for {}",
                algorithm.as_str(),
                names.join(", ")
            )));
        }
        Ok(Self {
            pinned: Some(algorithm),
            ..self
        })
    }

    fn of(material: Material) -> Self {
        Self {
            material,
            pinned: None,
        }
    }

    fn family(&self) -> &'static [Algorithm] {
        use Algorithm::*;
        match self.material {
            Material::Secret(_) => &[Hs256, Hs384, Hs512],
            Material::Rsa(_) => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Material::P256(_) => &[Es256],
            Material::P384(_) => &[Es384],
            Material::Ed25519(_) => &[Eddsa],
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> &'static signature::RsaParameters {
    match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        _ => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

fn verifies(
    algorithm: &'static dyn signature::VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

/// Without leading zeros, which DER and some JWKs have and `ring` refuses.
fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn uncompressed(point: &[u8], coordinate: usize) -> Result<Box<[u8]>, KeyError> {
    match point.first() {
        Some(4) if point.len() == 1 + 2 * coordinate => Ok(point.into()),
        Some(2 | 3) => Err(KeyError::new(
            "a compressed EC point: export the key with its point uncompressed \
             (`openssl ec -pubin -conv_form uncompressed`)",
        )),
        _ => Err(KeyError::new("not a point of the curve that the key names")),
    }
}
