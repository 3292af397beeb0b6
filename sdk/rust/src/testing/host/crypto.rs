//! `crypto`: really verifies, through `ring`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest as ring_digest, hmac, signature};
use serde::Deserialize;
use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode, Document, Reader, SliceReader, asn1::UintRef},
};

use crate::crypto::{Algorithm, DigestAlgorithm};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A key and the algorithms it may be used with.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    key: Key,
    algorithms: Vec<Algorithm>,
}

enum Key {
    Secret(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point or an Edwards key, as `ring` reads it.
    Public(Vec<u8>),
}

/// Says nothing of a secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Rsa { .. } => "Rsa",
            Self::Public(_) => "Public",
        })
    }
}

/// One JSON Web Key: the members of all kinds of keys.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

impl VerificationKey {
    pub(crate) fn from_secret(secret: &[u8]) -> Self {
        let algorithms = vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
        Self {
            key: Key::Secret(secret.to_vec()),
            algorithms,
        }
    }

    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        let invalid = |error| format!("not a public key as PEM: {error}");
        let (label, document) = Document::from_pem(pem.trim()).map_err(invalid)?;
        match label {
            "RSA PUBLIC KEY" => Self::from_rsa_der(document.as_bytes()),
            "PUBLIC KEY" => Self::from_spki(document.as_bytes()),
            other => Err(format!("`{other}` is not a public key")),
        }
    }

    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, String> {
        let jwk: Jwk = serde_json::from_str(jwk).map_err(|error| format!("not a key: {error}"))?;
        let mut key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("oct", _) => Self::from_secret(&member("k", jwk.k.as_deref())?),
            ("RSA", _) => Self::rsa(
                &member("n", jwk.n.as_deref())?,
                &member("e", jwk.e.as_deref())?,
            )?,
            ("EC", Some(curve @ ("P-256" | "P-384"))) => {
                let mut point = vec![4];
                point.extend(member("x", jwk.x.as_deref())?);
                point.extend(member("y", jwk.y.as_deref())?);
                match curve {
                    "P-256" => Self::public(point, 65, Algorithm::Es256)?,
                    _ => Self::public(point, 97, Algorithm::Es384)?,
                }
            }
            ("OKP", Some("Ed25519")) => {
                Self::public(member("x", jwk.x.as_deref())?, 32, Algorithm::Eddsa)?
            }
            (kind, curve) => {
                return Err(format!(
                    "a key of kind `{kind} {}` is of no use",
                    curve.unwrap_or("")
                ));
            }
        };
        if let Some(alg) = &jwk.alg {
            key.algorithms.retain(|algorithm| name(*algorithm) == alg);
        }
        if key.algorithms.is_empty() {
            return Err("`alg` is not one for this kind of key".to_owned());
        }
        Ok(key)
    }

    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        self.algorithms.clone()
    }

    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.algorithms.contains(&algorithm) {
            return false;
        }
        match &self.key {
            Key::Secret(secret) => hmac_algorithm(algorithm).is_some_and(|algorithm| {
                hmac::verify(&hmac::Key::new(algorithm, secret), message, signature).is_ok()
            }),
            Key::Rsa { n, e } => rsa_parameters(algorithm).is_some_and(|parameters| {
                let key = signature::RsaPublicKeyComponents { n, e };
                key.verify(parameters, message, signature).is_ok()
            }),
            Key::Public(key) => public_algorithm(algorithm).is_some_and(|algorithm| {
                let key = signature::UnparsedPublicKey::new(algorithm, key);
                key.verify(message, signature).is_ok()
            }),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, String> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|error| error.to_string())?;
        let curve = info.algorithm.parameters_oid().ok();
        let key = info.subject_public_key.raw_bytes();
        match (info.algorithm.oid, curve) {
            (RSA, _) => Self::from_rsa_der(key),
            (EC, Some(P256)) => Self::public(key.to_vec(), 65, Algorithm::Es256),
            (EC, Some(P384)) => Self::public(key.to_vec(), 97, Algorithm::Es384),
            (ED25519, _) => Self::public(key.to_vec(), 32, Algorithm::Eddsa),
            (other, _) => Err(format!("a key of algorithm {other} is of no use")),
        }
    }

    fn from_rsa_der(der: &[u8]) -> Result<Self, String> {
        let numbers = SliceReader::new(der).and_then(|mut reader| {
            reader.sequence(|reader| Ok((UintRef::decode(reader)?, UintRef::decode(reader)?)))
        });
        let (n, e) = numbers.map_err(|error| error.to_string())?;
        Self::rsa(n.as_bytes(), e.as_bytes())
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, String> {
        let zeros = n.iter().take_while(|&&byte| byte == 0).count();
        let n = &n[zeros..];
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(2_048..=8_192).contains(&bits) {
            return Err(format!(
                "an RSA key of {bits} bits: 2,048 to 8,192 are allowed"
            ));
        }
        use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let algorithms = vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
        Ok(Self {
            key: Key::Rsa {
                n: n.to_vec(),
                e: e.to_vec(),
            },
            algorithms,
        })
    }

    fn public(key: Vec<u8>, length: usize, algorithm: Algorithm) -> Result<Self, String> {
        if key.len() != length {
            return Err(format!(
                "a key of {} bytes where {length} are due",
                key.len()
            ));
        }
        Ok(Self {
            key: Key::Public(key),
            algorithms: vec![algorithm],
        })
    }
}

pub(crate) fn digest(algorithm: DigestAlgorithm, data: &[u8]) -> Vec<u8> {
    let algorithm = match algorithm {
        DigestAlgorithm::Sha256 => &ring_digest::SHA256,
        DigestAlgorithm::Sha384 => &ring_digest::SHA384,
        DigestAlgorithm::Sha512 => &ring_digest::SHA512,
    };
    ring_digest::digest(algorithm, data).as_ref().to_vec()
}

/// Equal or not: a test has no attacker with a stop-watch.
pub(crate) fn constant_time_equal(a: &[u8], b: &[u8]) -> bool {
    a == b
}

fn member(name: &str, value: Option<&str>) -> Result<Vec<u8>, String> {
    let value = value.ok_or_else(|| format!("`{name}` is missing"))?;
    URL_SAFE_NO_PAD
        .decode(value)
        .map_err(|error| format!("`{name}`: {error}"))
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Hs256 => "HS256",
        Algorithm::Hs384 => "HS384",
        Algorithm::Hs512 => "HS512",
        Algorithm::Rs256 => "RS256",
        Algorithm::Rs384 => "RS384",
        Algorithm::Rs512 => "RS512",
        Algorithm::Ps256 => "PS256",
        Algorithm::Ps384 => "PS384",
        Algorithm::Ps512 => "PS512",
        Algorithm::Es256 => "ES256",
        Algorithm::Es384 => "ES384",
        Algorithm::Eddsa => "EdDSA",
    }
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn public_algorithm(algorithm: Algorithm) -> Option<&'static dyn signature::VerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::Eddsa => Some(&signature::ED25519),
        _ => None,
    }
}
