//! The configuration as its user writes it.

use portcullis_sdk::config;
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration of API key authentication.
#[config]
#[derive(Debug, Clone)]
pub struct Config {
    /// Who may pass.
    #[schemars(length(min = 1))]
    pub consumers: Vec<ConsumerConfig>,
    /// The request header that carries the key; `null`: none.
    #[serde(default = "default_header")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub header: Option<String>,
    /// The query parameter that carries the key. Default: none, since addresses
    /// end up in logs.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._~-]+$"))]
    pub query: Option<String>,
    /// Groups of which a consumer must be in at least one; others get 403.
    /// Default: every consumer may pass.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub allowed_groups: Option<Vec<String>>,
    /// Whether the key is removed from what goes upstream.
    #[serde(default = "default_hide_credentials")]
    pub hide_credentials: bool,
    /// Names the protected area in `WWW-Authenticate`.
    #[serde(default = "default_realm")]
    #[schemars(regex(pattern = r#"^[ !#-\[\]-~]{1,128}$"#))]
    pub realm: String,
}

/// One consumer: whoever holds one of its keys.
#[config]
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Its name: printable ASCII without spaces and commas.
    #[schemars(regex(pattern = r"^[!-+\--~]{1,128}$"))]
    pub name: String,
    /// The groups that it is in: names of the same form.
    #[serde(default)]
    pub groups: Vec<GroupName>,
    /// Its key: printable ASCII without spaces, at least 8 characters.
    #[serde(default)]
    pub key: Option<ApiKey>,
    /// Its keys, if it has several, as while one replaces another.
    #[serde(default)]
    pub keys: Vec<ApiKey>,
}

/// The name of a group: printable ASCII without spaces and commas.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct GroupName(#[schemars(regex(pattern = r"^[!-+\--~]{1,128}$"))] pub String);

/// An API key: printable ASCII without spaces, 8 to 512 characters.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct ApiKey(#[schemars(regex(pattern = r"^[!-~]{8,512}$"))] pub String);

impl std::fmt::Debug for ApiKey {
    /// Never the key itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiKey")
    }
}

impl Config {
    /// Checks again what the schema says of names and keys, since a name becomes
    /// a header's value and a gateway may have been told to skip the schema; and
    /// what the schema cannot say.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.header.is_none() && self.query.is_none() {
            return Err("one of `header` and `query` must name where the key is".into());
        }
        if self.header.as_deref().is_some_and(|name| !is_token(name)) {
            return Err("`header` is not a header's name".into());
        }
        if self.consumers.is_empty() {
            return Err("`consumers` is empty".into());
        }
        for consumer in &self.consumers {
            consumer.check()?;
        }
        Ok(())
    }
}

impl ConsumerConfig {
    fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) || !self.groups.iter().all(|group| is_name(&group.0)) {
            return Err(format!(
                "consumer `{}`: names are printable ASCII without spaces and commas",
                self.name.escape_debug()
            ));
        }
        if self.all_keys().next().is_none() {
            return Err(format!(
                "consumer `{}` has neither `key` nor `keys`",
                self.name
            ));
        }
        if !self.all_keys().all(is_key) {
            return Err(format!(
                "consumer `{}`: a key is 8 to 512 characters of printable ASCII without spaces",
                self.name
            ));
        }
        Ok(())
    }

    /// All its keys.
    pub fn all_keys(&self) -> impl Iterator<Item = &str> {
        self.key.iter().chain(&self.keys).map(|key| key.0.as_str())
    }
}

fn is_key(text: &str) -> bool {
    matches!(text.len(), 8..=512) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_name(text: &str) -> bool {
    matches!(text.len(), 1..=128)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
}

fn is_token(text: &str) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional key")]
fn default_header() -> Option<String> {
    Some("x-api-key".into())
}

fn default_hide_credentials() -> bool {
    true
}

fn default_realm() -> String {
    "portcullis".into()
}
