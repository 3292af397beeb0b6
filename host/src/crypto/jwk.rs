//! One JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    Algorithm,
    key::{KeyError, VerificationKey},
};

/// Parses one key.
pub(super) fn parse(text: &str) -> Result<VerificationKey, KeyError> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| KeyError::new(format!("malformed JSON: {error}")))?;
    let Value::Object(members) = value else {
        return Err(KeyError::new("not a JSON Web Key: an object is expected"));
    };
    let jwk = Jwk(members);
    if jwk.0.contains_key("keys") {
        return Err(KeyError::new("a set of keys: give its keys one by one"));
    }
    jwk.check_purpose()?;
    let key = jwk.material()?;
    match jwk.optional("alg")? {
        None => Ok(key),
        Some(name) => {
            let algorithm = Algorithm::from_name(name).ok_or_else(|| {
                KeyError::new(format!(
                    "`alg` is `{name}`, which is no signature algorithm known here"
                ))
            })?;
            key.pinned_to(algorithm)
        }
    }
}

struct Jwk(Map<String, Value>);

impl Jwk {
    /// Refuses private keys, and keys that are not meant to verify.
    fn check_purpose(&self) -> Result<(), KeyError> {
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth"];
        if let Some(part) = private.iter().find(|part| self.0.contains_key(**part)) {
            return Err(KeyError::new(format!(
                "a private key (it has `{part}`): give only its public half here, and \
                 consider the private key disclosed if this text is stored or shared"
            )));
        }
        if let Some(purpose) = self.optional("use")?
            && purpose != "sig"
        {
            return Err(KeyError::new(format!(
                "`use` is `{purpose}`: a key for signatures (`sig`) is expected"
            )));
        }
        match self.0.get("key_ops") {
            None => Ok(()),
            Some(Value::Array(operations)) if operations.iter().any(|of| of == "verify") => Ok(()),
            Some(_) => Err(KeyError::new("`key_ops` does not list `verify`")),
        }
    }

    fn material(&self) -> Result<VerificationKey, KeyError> {
        match self.required("kty")? {
            "oct" => match self.bytes("k")? {
                secret if secret.is_empty() => Err(KeyError::new("`k` is empty")),
                secret => Ok(VerificationKey::from_secret(&secret)),
            },
            "RSA" => VerificationKey::rsa(&self.bytes("n")?, &self.bytes("e")?),
            "EC" => match self.required("crv")? {
                "P-256" => VerificationKey::p256(&self.point(32)?),
                "P-384" => VerificationKey::p384(&self.point(48)?),
                other => Err(KeyError::new(format!(
                    "`crv` is `{other}`: P-256 and P-384 are supported"
                ))),
            },
            "OKP" => match self.required("crv")? {
                "Ed25519" => VerificationKey::ed25519(&self.bytes("x")?),
                other => Err(KeyError::new(format!(
                    "`crv` is `{other}`: Ed25519 is supported"
                ))),
            },
            other => Err(KeyError::new(format!(
                "`kty` is `{other}`: RSA, EC, OKP and oct are supported"
            ))),
        }
    }

    /// The point in the uncompressed form. Coordinates have their full length
    /// (RFC 7518 §6.2.1.2), so neither can borrow bytes of the other.
    fn point(&self, length: usize) -> Result<Vec<u8>, KeyError> {
        let mut point = vec![4];
        for name in ["x", "y"] {
            let coordinate = self.bytes(name)?;
            if coordinate.len() != length {
                return Err(KeyError::new(format!(
                    "`{name}` has {} bytes: this curve's have {length}",
                    coordinate.len()
                )));
            }
            point.extend(coordinate);
        }
        Ok(point)
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        URL_SAFE_NO_PAD
            .decode(self.required(name)?)
            .map_err(|_| KeyError::new(format!("`{name}` is not base64url without padding")))
    }

    fn required(&self, name: &str) -> Result<&str, KeyError> {
        self.optional(name)?.ok_or_else(|| {
            KeyError::new(format!(
                "not a JSON Web Key of its kind: `{name}` is missing"
            ))
        })
    }

    fn optional(&self, name: &str) -> Result<Option<&str>, KeyError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(KeyError::new(format!("`{name}` is not a string"))),
        }
    }
}
