//! The configuration as its user writes it.

use std::collections::BTreeMap;

use portcullis_sdk::config;
use portcullis_sdk::config::Duration;
use portcullis_sdk::crypto::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Configuration of authentication by JSON Web Token.
#[config]
#[derive(Debug, Clone)]
pub struct Config {
    /// The signature algorithms that are accepted, whatever a token says.
    #[schemars(length(min = 1))]
    pub algorithms: Vec<AlgorithmName>,
    /// The secret of the HS algorithms. Use as many random bytes as the digest
    /// has (32 for HS256): shorter ones can be guessed from one token.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub secret: Option<String>,
    /// A public key as PEM text, for the RS, PS and ES algorithms and EdDSA.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub public_key: Option<String>,
    /// A JSON Web Key Set (RFC 7517): inline, or as the text of its file.
    #[serde(default)]
    pub jwks: Option<Jwks>,
    /// Where the issuer publishes its JSON Web Key Set. It is asked at the start,
    /// from time to time, and when a token names a key that is not known.
    #[serde(default)]
    #[schemars(regex(pattern = r"^https?://[!-~]+$"))]
    pub jwks_url: Option<String>,
    /// The issuer's URL, from which the place of its key set is found out (OpenID
    /// Connect Discovery 1.0). Also the default of `issuer`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^https?://[!-~]+$"))]
    pub oidc_discovery: Option<String>,
    /// When a key set is asked for again.
    #[serde(default)]
    pub jwks_refresh: RefreshConfig,
    /// Keys with names and algorithms of their own.
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// Whether the name of a key (`kid`) that a token gives is not looked at:
    /// for keys that were given without a name. Otherwise a token that names an
    /// unknown key is refused.
    #[serde(default)]
    pub ignore_kid: bool,
    /// The issuers (`iss`) that are accepted: one, or a list. Default: that of
    /// `oidc_discovery`, else any.
    #[serde(default)]
    pub issuer: Option<OneOrMany>,
    /// The audiences (`aud`) of which a token must name at least one: one, or
    /// a list. Default: not looked at.
    #[serde(default)]
    pub audience: Option<OneOrMany>,
    /// How far the issuer's clock may be off when `exp` and `nbf` are judged.
    /// At most `1h`.
    #[serde(default = "default_leeway")]
    pub leeway: Duration,
    /// Whether a token must say when it expires (`exp`).
    #[serde(default = "yes")]
    pub require_expiry: bool,
    /// Scopes all of which a token must have, in `scope` (separated by spaces),
    /// `scp` or `scopes` (either form); others get 403.
    #[serde(default)]
    pub required_scopes: Vec<ScopeName>,
    /// The request header that carries the token.
    #[serde(default = "default_header")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub header: String,
    /// The word before the token in the header; empty: none.
    #[serde(default = "default_scheme")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]*$"))]
    pub scheme: String,
    /// A cookie that may carry the token instead of the header.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub cookie: Option<String>,
    /// A query parameter that may carry the token instead of the header.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._~-]+$"))]
    pub query: Option<String>,
    /// Whether the token goes upstream too.
    #[serde(default = "yes")]
    pub forward_token: bool,
    /// Paths that need no token: exact (`/health`), or all that begin so
    /// (`/public/*`).
    #[serde(default)]
    pub public_paths: Vec<PathPattern>,
    /// Claims to put into request headers for the service: claim to header.
    /// A claim within a claim is written as a JSON pointer: `/realm/roles`.
    #[serde(default)]
    pub claims_to_headers: BTreeMap<String, String>,
    /// Claims to put into attributes for later filters and the log: claim to
    /// attribute.
    #[serde(default)]
    pub claims_to_attributes: BTreeMap<String, String>,
    /// Tokens longer than this are refused unread. Bytes.
    #[serde(default = "default_max_token_bytes")]
    #[schemars(range(min = 64, max = 65_536))]
    pub max_token_bytes: usize,
    /// What is remembered of verified tokens.
    #[serde(default)]
    pub cache: CacheConfig,
    /// Names the protected area in `WWW-Authenticate`.
    #[serde(default = "default_realm")]
    #[schemars(regex(pattern = r#"^[ !#-\[\]-~]{1,128}$"#))]
    pub realm: String,
}

/// A signature algorithm, by its JSON name (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 and RFC 8037")]
pub enum AlgorithmName {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl AlgorithmName {
    /// The algorithm of this name.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::HS256 => Algorithm::Hs256,
            Self::HS384 => Algorithm::Hs384,
            Self::HS512 => Algorithm::Hs512,
            Self::RS256 => Algorithm::Rs256,
            Self::RS384 => Algorithm::Rs384,
            Self::RS512 => Algorithm::Rs512,
            Self::PS256 => Algorithm::Ps256,
            Self::PS384 => Algorithm::Ps384,
            Self::PS512 => Algorithm::Ps512,
            Self::ES256 => Algorithm::Es256,
            Self::ES384 => Algorithm::Es384,
            Self::EdDSA => Algorithm::Eddsa,
        }
    }
}

/// A scope: printable ASCII without spaces, quotes and backslashes (RFC 6749).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ScopeName(#[schemars(regex(pattern = r"^[!#-\[\]-~]{1,256}$"))] pub String);

/// A path, or all that begin so.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct PathPattern(#[schemars(regex(pattern = r"^/[^*%;\\?#]*\*?$"))] pub String);

/// A JSON Web Key Set.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Jwks {
    /// The text of its file.
    Text(String),
    /// The set itself.
    Inline(serde_json::Map<String, serde_json::Value>),
}

/// One key: exactly one of `secret`, `pem` and `jwk`.
#[config]
#[derive(Debug, Clone)]
pub struct KeyConfig {
    /// Its name, by which tokens ask for it.
    #[serde(default)]
    pub kid: Option<String>,
    /// The algorithms that it may be used with. Default: all of `algorithms`
    /// that fit its kind.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub algorithms: Option<Vec<AlgorithmName>>,
    /// A secret of the HS algorithms.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub secret: Option<String>,
    /// A public key as PEM text.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub pem: Option<String>,
    /// A JSON Web Key.
    #[serde(default)]
    pub jwk: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What is remembered of verified tokens, in each worker.
#[config]
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// How many tokens, rounded up to a multiple of four; 0: none. Tokens are
    /// forgotten when they expire or when others need the place. Tokens above
    /// 4 KiB are not remembered.
    #[serde(default = "default_cache_size")]
    #[schemars(range(max = 65_536))]
    pub size: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            size: default_cache_size(),
        }
    }
}

/// When a key set is asked for again.
#[config]
#[derive(Debug, Clone)]
pub struct RefreshConfig {
    /// How old a key set becomes before it is asked for again in the background;
    /// `1m` to `24h`.
    #[serde(default = "default_every")]
    pub every: Duration,
    /// The time between two questions, of all workers together, whatever tokens
    /// come; `1s` to `1h`.
    #[serde(default = "default_cool_down")]
    pub cool_down: Duration,
    /// How long finding out may take; `100ms` to `1m`.
    #[serde(default = "default_refresh_timeout")]
    pub timeout: Duration,
}

impl Default for RefreshConfig {
    fn default() -> Self {
        Self {
            every: default_every(),
            cool_down: default_cool_down(),
            timeout: default_refresh_timeout(),
        }
    }
}

/// One text, or a list of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// One of several.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

impl OneOrMany {
    /// As a list.
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(list) => list,
        }
    }
}

fn default_leeway() -> Duration {
    Duration::from_secs(0)
}

fn yes() -> bool {
    true
}

fn default_header() -> String {
    "authorization".into()
}

fn default_scheme() -> String {
    "Bearer".into()
}

fn default_max_token_bytes() -> usize {
    8_192
}

fn default_cache_size() -> usize {
    1_024
}

fn default_every() -> Duration {
    Duration::from_secs(600)
}

fn default_cool_down() -> Duration {
    Duration::from_secs(30)
}

fn default_refresh_timeout() -> Duration {
    Duration::from_secs(3)
}

fn default_realm() -> String {
    "portcullis".into()
}
