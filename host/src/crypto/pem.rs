//! Public keys as PEM text: SubjectPublicKeyInfo (RFC 5280) and PKCS#1.

use spki::{
    ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{Decode, Document, Reader, SliceReader, asn1::UintRef},
};

use super::key::{KeyError, VerificationKey};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Parses one PEM text. White space around it does no harm.
pub(super) fn parse(text: &str) -> Result<VerificationKey, KeyError> {
    let text = text.trim();
    if !text.starts_with("-----BEGIN ") {
        return Err(KeyError::new(
            "not PEM text: it has to begin with `-----BEGIN PUBLIC KEY-----`",
        ));
    }
    if text.matches("-----BEGIN ").count() > 1 {
        return Err(KeyError::new("several PEM texts: one key is expected"));
    }
    // The label first: whoever gives a certificate should not read of DER.
    let label = text["-----BEGIN ".len()..].split("-----").next();
    refuse_label(label.unwrap_or_default())?;
    let (label, document) = Document::from_pem(text)
        .map_err(|error| KeyError::new(format!("malformed PEM text: {error}")))?;
    match label {
        "RSA PUBLIC KEY" => pkcs1(document.as_bytes()),
        _ => subject_public_key(document.as_bytes()),
    }
}

fn refuse_label(label: &str) -> Result<(), KeyError> {
    let advice = match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => return Ok(()),
        "CERTIFICATE" => {
            "take the public key out of it with `openssl x509 -in FILE -noout -pubkey`"
        }
        _ if label.ends_with("PRIVATE KEY") => {
            "give only its public half here (`openssl pkey -in FILE -pubout`), and \
             consider the private key disclosed if this text is stored or shared"
        }
        _ => "`PUBLIC KEY` or `RSA PUBLIC KEY` is expected",
    };
    Err(KeyError::new(format!(
        "a PEM text of type `{label}`: {advice}"
    )))
}

fn subject_public_key(der: &[u8]) -> Result<VerificationKey, KeyError> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(malformed)?;
    let bytes = info
        .subject_public_key
        .as_bytes()
        .ok_or_else(|| KeyError::new("not a public key: its bits are no bytes"))?;
    match info.algorithm.oid {
        RSA => pkcs1(bytes),
        EC => match info.algorithm.parameters_oid().map_err(malformed)? {
            P256 => VerificationKey::p256(bytes),
            P384 => VerificationKey::p384(bytes),
            other => Err(KeyError::new(format!(
                "an EC key on the curve {other}: P-256 and P-384 are supported"
            ))),
        },
        ED25519 => VerificationKey::ed25519(bytes),
        RSA_PSS => Err(KeyError::new(
            "an RSA key that is marked as PSS only: give it as a plain RSA key, \
             which is usable with the PS algorithms too",
        )),
        other => Err(KeyError::new(format!(
            "a key of type {other}: RSA, EC and Ed25519 are supported"
        ))),
    }
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }`
fn pkcs1(der: &[u8]) -> Result<VerificationKey, KeyError> {
    let numbers = || {
        let mut reader = SliceReader::new(der)?;
        let numbers = reader
            .sequence(|numbers| Ok((UintRef::decode(numbers)?, UintRef::decode(numbers)?)))?;
        reader.finish(numbers)
    };
    let (modulus, exponent) = numbers().map_err(malformed)?;
    VerificationKey::rsa(modulus.as_bytes(), exponent.as_bytes())
}

fn malformed(error: impl std::fmt::Display) -> KeyError {
    KeyError::new(format!("not a public key: {error}"))
}
