//! Makes tokens, good ones and bad ones.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding};
use serde_json::{Value, json};

/// The fake gateway's clock starts here: 2026-01-01T00:00:00Z.
pub(crate) const NOW: u64 = 1_767_225_600;

/// The RSA key of the tests, and its public half in both forms.
const RSA: &str = include_str!("../data/rsa-private.pem");
pub(crate) const RSA_PUBLIC: &str = include_str!("../data/rsa-public.pem");
pub(crate) const RSA_PUBLIC_PKCS1: &str = include_str!("../data/rsa-public-pkcs1.pem");

/// Somebody who signs tokens with one key and one algorithm.
pub(crate) struct Issuer {
    pub(crate) algorithm: &'static str,
    key: Key,
}

enum Key {
    Secret(hmac::Key),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Issuer {
    pub(crate) fn hs256(secret: impl AsRef<[u8]>) -> Self {
        Self::hs("HS256", secret)
    }

    pub(crate) fn hs(algorithm: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let hash = match algorithm {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA512,
        };
        let key = Key::Secret(hmac::Key::new(hash, secret.as_ref()));
        Self { algorithm, key }
    }

    /// With the RSA key of the tests.
    pub(crate) fn rsa(algorithm: &'static str) -> Self {
        let der: String = RSA.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
        let padding: &'static dyn RsaEncoding = match algorithm {
            "RS256" => &signature::RSA_PKCS1_SHA256,
            "RS384" => &signature::RSA_PKCS1_SHA384,
            "RS512" => &signature::RSA_PKCS1_SHA512,
            "PS256" => &signature::RSA_PSS_SHA256,
            "PS384" => &signature::RSA_PSS_SHA384,
            _ => &signature::RSA_PSS_SHA512,
        };
        let key = Key::Rsa(pair, padding);
        Self { algorithm, key }
    }

    /// With a new key on a curve: `ES256`, `ES384`.
    pub(crate) fn ec(algorithm: &'static str) -> Self {
        let scheme = match algorithm {
            "ES256" => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap();
        let key = Key::Ec(pair);
        Self { algorithm, key }
    }

    /// With a new Edwards key.
    pub(crate) fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Key::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap());
        Self {
            algorithm: "EdDSA",
            key,
        }
    }

    /// The public key as PEM text.
    pub(crate) fn pem(&self) -> String {
        let (prefix, key): (&[u8], &[u8]) = match &self.key {
            Key::Secret(_) => unreachable!("a secret has no public half"),
            Key::Rsa(..) => return RSA_PUBLIC.to_owned(),
            Key::Ec(pair) if self.algorithm == "ES256" => (
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
                pair.public_key().as_ref(),
            ),
            Key::Ec(pair) => (
                b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
                pair.public_key().as_ref(),
            ),
            Key::Ed(pair) => (b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", pair.public_key().as_ref()),
        };
        let text = STANDARD.encode([prefix, key].concat());
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    /// The public key as a JSON Web Key of this name.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.key {
            Key::Secret(_) => unreachable!("a secret has no public half"),
            Key::Rsa(pair, _) => {
                let PublicKeyComponents { n, e } =
                    PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Key::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.algorithm == "ES256" {
                    "P-256"
                } else {
                    "P-384"
                };
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Key::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        };
        jwk["kid"] = kid.into();
        jwk
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.with_header(json!({}), claims)
    }

    /// A token with these members in its header too; they win over its own.
    pub(crate) fn with_header(&self, members: Value, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm, "typ": "JWT" });
        for (name, value) in members.as_object().unwrap() {
            header[name] = value.clone();
        }
        self.over(&header.to_string(), &claims.to_string())
    }

    /// A token over this very text.
    pub(crate) fn over(&self, header: &str, claims: &str) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
            Key::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message, &mut signature)
                    .unwrap();
                signature
            }
            Key::Ec(pair) => pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
            Key::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}
