//! The keys that tokens are verified with. Each is pinned to the algorithms that
//! fit its kind and that the configuration allows, so that no token can turn a
//! public key into a secret or a strong algorithm into a weak one.

use portcullis_sdk::crypto::{Algorithm, VerificationKey};
use serde_json::{Map, Value};

use crate::config::{AlgorithmName, Config, Jwks, KeyConfig};
use crate::problem::Invalid;
use crate::token::{self, Token};

/// How many keys of a configuration, and how many of an issuer, there may be.
pub const MOST_KEYS: usize = 100;

/// How many keys are tried for one token: each costs a signature.
const MOST_TRIED: usize = 16;

/// The members of a JSON Web Key that say what it is and what it is for, of
/// every kind of public key (RFC 7517, RFC 7518, RFC 8037).
const PUBLIC_MEMBERS: [&str; 10] = [
    "kty", "use", "key_ops", "alg", "kid", "crv", "n", "e", "x", "y",
];

/// All keys of one configuration: at least one, or some to come.
#[derive(Debug)]
pub struct Keys {
    algorithms: Vec<Algorithm>,
    ignore_kid: bool,
    keys: Vec<Key>,
    /// Those that the issuer was asked for.
    fetched: Vec<Key>,
}

/// One key and what it may be used for.
#[derive(Debug)]
struct Key {
    kid: Option<String>,
    /// Never empty.
    algorithms: Vec<Algorithm>,
    key: VerificationKey,
}

impl Keys {
    /// Reads the keys of a configuration.
    ///
    /// # Errors
    /// If there is none and none to ask for, one is not readable, or one fits none of
    /// `algorithms`.
    pub fn new(config: &Config) -> Result<Self, String> {
        let algorithms = known(&config.algorithms);
        let mut keys = Vec::new();
        if let Some(secret) = &config.secret {
            let key = from_secret(secret).map_err(|error| format!("`secret`: {error}"))?;
            keys.push(Key::new(None, key, &algorithms, "`secret`")?);
        }
        if let Some(pem) = &config.public_key {
            let key = from_pem(pem).map_err(|error| format!("`public_key`: {error}"))?;
            keys.push(Key::new(None, key, &algorithms, "`public_key`")?);
        }
        for (index, entry) in config.keys.iter().enumerate() {
            keys.push(from_entry(
                entry,
                &algorithms,
                &format!("`keys` entry {}", index + 1),
            )?);
        }
        if let Some(jwks) = &config.jwks {
            keys.extend(from_set(jwks, &algorithms)?);
        }
        let more_to_come = config.jwks_url.is_some() || config.oidc_discovery.is_some();
        match keys.len() {
            0 if !more_to_come => Err(
                "there is no key: give `secret`, `public_key`, `jwks`, `jwks_url`, `oidc_discovery` or `keys`".into(),
            ),
            0..=MOST_KEYS => Ok(Self {
                algorithms,
                ignore_kid: config.ignore_kid,
                keys,
                fetched: Vec::new(),
            }),
            number => Err(format!(
                "there are {number} keys, but at most {MOST_KEYS} are possible"
            )),
        }
    }

    /// Takes the keys of the issuer in place of those that it had before. What
    /// fits none of `algorithms` is passed over.
    pub fn take_fetched(&mut self, members: &[Value]) {
        let keys = members.iter().take(MOST_KEYS);
        let usable = keys.filter_map(|member| from_member(member, &self.algorithms).ok());
        self.fetched = usable.collect();
    }

    /// True if there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.fetched.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().chain(&self.fetched)
    }

    /// Verifies a token's signature.
    ///
    /// # Errors
    /// If its algorithm is not allowed, no key has the name that it gives, or no
    /// key that fits made the signature.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), Invalid> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(Invalid::Algorithm);
        }
        let kid = token.kid.as_deref().filter(|_| !self.ignore_kid);
        let is_named = |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        if !self.iter().any(|key| is_named(&key)) {
            return Err(Invalid::Key);
        }
        self.iter()
            .filter(is_named)
            .filter(|key| key.algorithms.contains(&token.algorithm))
            .take(MOST_TRIED)
            .any(|key| key.verifies(token))
            .then_some(())
            .ok_or(Invalid::Signature)
    }
}

impl Key {
    /// Pins a key to those of the algorithms that fit its kind.
    fn new(
        kid: Option<String>,
        key: VerificationKey,
        algorithms: &[Algorithm],
        what: &str,
    ) -> Result<Self, String> {
        let mut fitting = key.algorithms();
        fitting.retain(|algorithm| algorithms.contains(algorithm));
        if fitting.is_empty() {
            return Err(format!(
                "{what}: this kind of key fits none of `algorithms`"
            ));
        }
        Ok(Self {
            kid,
            algorithms: fitting,
            key,
        })
    }

    fn verifies(&self, token: &Token<'_>) -> bool {
        self.key
            .verify(token.algorithm, token.message.as_bytes(), &token.signature)
    }
}

/// A key with a name and algorithms of its own.
fn from_entry(entry: &KeyConfig, allowed: &[Algorithm], what: &str) -> Result<Key, String> {
    let in_what = |error: String| format!("{what}: {error}");
    let (kid, key, pinned) = match (&entry.secret, &entry.pem, &entry.jwk) {
        (Some(secret), None, None) => (None, from_secret(secret).map_err(in_what)?, None),
        (None, Some(pem), None) => (None, from_pem(pem).map_err(in_what)?, None),
        (None, None, Some(jwk)) => {
            let key = from_jwk(jwk).map_err(in_what)?;
            (kid_of(jwk), key, pinned_by(jwk).map_err(in_what)?)
        }
        _ => {
            return Err(in_what(
                "give exactly one of `secret`, `pem` and `jwk`".into(),
            ));
        }
    };
    let mut algorithms = allowed.to_vec();
    if let Some(own) = entry.algorithms.as_deref().map(known) {
        algorithms.retain(|algorithm| own.contains(algorithm));
    }
    if let Some(pinned) = pinned {
        algorithms.retain(|algorithm| *algorithm == pinned);
    }
    Key::new(entry.kid.clone().or(kid), key, &algorithms, what)
}

/// The usable keys of a set. Others are passed over (RFC 7517, 5): sets hold
/// keys for encryption and of kinds yet to come.
fn from_set(jwks: &Jwks, allowed: &[Algorithm]) -> Result<Vec<Key>, String> {
    let parsed;
    let set = match jwks {
        Jwks::Inline(set) => set,
        Jwks::Text(text) => {
            parsed = serde_json::from_str(text)
                .map_err(|error| format!("`jwks` is no JSON: {error}"))?;
            &parsed
        }
    };
    let Some(Value::Array(members)) = set.get("keys") else {
        return Err("`jwks` has no list `keys`".into());
    };
    let mut keys = Vec::new();
    let mut reason = "it is empty".to_owned();
    for member in members {
        match from_member(member, allowed) {
            Ok(key) => keys.push(key),
            Err(error) => reason = error,
        }
    }
    if keys.is_empty() {
        return Err(format!(
            "`jwks` holds no key that can be used here: {reason}"
        ));
    }
    Ok(keys)
}

fn from_member(member: &Value, allowed: &[Algorithm]) -> Result<Key, String> {
    let jwk = member.as_object().ok_or("a key is no object")?;
    let key = from_jwk(jwk)?;
    let mut algorithms = allowed.to_vec();
    if let Some(pinned) = pinned_by(jwk)? {
        algorithms.retain(|algorithm| *algorithm == pinned);
    }
    Key::new(kid_of(jwk), key, &algorithms, "a key")
}

/// What of a published key is kept: a public key that signatures can be verified
/// with, and of that only what is public. None for others: above all for secrets,
/// which whoever reads them could sign with.
pub fn publishable(member: &Value) -> Option<Value> {
    let jwk = member.as_object()?;
    let is_public = jwk.get("kty").is_some_and(|kind| kind != "oct");
    if !is_public || from_jwk(jwk).is_err() || pinned_by(jwk).is_err() {
        return None;
    }
    let members = PUBLIC_MEMBERS.into_iter().filter_map(|name| {
        let value = jwk.get(name)?;
        Some((name.to_owned(), value.clone()))
    });
    Some(Value::Object(members.collect()))
}

fn from_secret(secret: &str) -> Result<VerificationKey, String> {
    // Whoever puts a public key here would let everybody sign.
    if secret.contains("-----BEGIN") {
        return Err("this is a PEM text, not a secret: use `public_key` or `pem`".into());
    }
    if secret.is_empty() {
        return Err("a secret is not empty".into());
    }
    Ok(VerificationKey::from_secret(secret))
}

fn from_pem(pem: &str) -> Result<VerificationKey, String> {
    VerificationKey::from_pem(pem).map_err(|error| error.to_string())
}

/// A JSON Web Key, if it is one for verifying signatures.
fn from_jwk(jwk: &Map<String, Value>) -> Result<VerificationKey, String> {
    if jwk.get("use").is_some_and(|usage| usage != "sig") {
        return Err("its `use` is not `sig`".into());
    }
    let may_verify = |operations: &Value| {
        operations
            .as_array()
            .is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    };
    if jwk
        .get("key_ops")
        .is_some_and(|operations| !may_verify(operations))
    {
        return Err("its `key_ops` do not name `verify`".into());
    }
    if jwk.get("kty").is_some_and(|kind| kind == "oct")
        && jwk.get("k").is_none_or(|secret| secret == "")
    {
        return Err("a secret is not empty".into());
    }
    let text = serde_json::to_string(jwk).map_err(|error| error.to_string())?;
    VerificationKey::from_jwk(&text).map_err(|error| error.to_string())
}

fn kid_of(jwk: &Map<String, Value>) -> Option<String> {
    jwk.get("kid")?.as_str().map(str::to_owned)
}

/// The one algorithm that a JSON Web Key says it is for, if it says so.
fn pinned_by(jwk: &Map<String, Value>) -> Result<Option<Algorithm>, String> {
    let Some(name) = jwk.get("alg") else {
        return Ok(None);
    };
    name.as_str()
        .and_then(token::by_name)
        .map(Some)
        .ok_or_else(|| format!("its `alg` is {name}, which is not supported"))
}

fn known(names: &[AlgorithmName]) -> Vec<Algorithm> {
    names.iter().map(|name| name.algorithm()).collect()
}
