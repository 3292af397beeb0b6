//! The configuration as its user writes it.

use portcullis_sdk::config;
use portcullis_sdk::config::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration of authorization by a service: `url`, or `service` and `path`.
#[config]
#[derive(Debug, Clone)]
pub struct Config {
    /// Whom to ask: `https://auth.example.com/check`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^https?://[!-~]+$"))]
    pub url: Option<String>,
    /// Whom to ask instead: a service of the gateway.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub service: Option<String>,
    /// The path that the service is asked for.
    #[serde(default)]
    #[schemars(regex(pattern = r"^/[!-~]*$"))]
    pub path: Option<String>,
    /// The method of the question. Default: `GET`, or `POST` with `send_body`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[A-Z]{1,32}$"))]
    pub method: Option<String>,
    /// Header fields of the request that go along with the question.
    #[serde(default = "default_to_send")]
    #[schemars(length(max = 64))]
    pub headers_to_send: Vec<HeaderName>,
    /// Header fields of an answer that lets pass, which go upstream in place of
    /// what the client sent under these names.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub headers_to_take: Vec<HeaderName>,
    /// Header fields of an answer that lets pass, which are added to the response.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub headers_to_response: Vec<HeaderName>,
    /// Header fields of an answer that refuses, which go to the client.
    #[serde(default = "default_to_client")]
    #[schemars(length(max = 64))]
    pub headers_to_client: Vec<HeaderName>,
    /// Whether the request's body goes along, too. It is held in memory then.
    #[serde(default)]
    pub send_body: bool,
    /// How long the service may take to answer.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// What becomes of a request if the service does not answer, or with a status
    /// of 500 or above.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
    /// How much of the body of an answer that refuses goes to the client. Bytes;
    /// of a larger one nothing does.
    #[serde(default = "default_answer_bytes")]
    #[schemars(range(max = 1_048_576))]
    pub max_answer_bytes: u64,
    /// What is remembered of answers. Default: nothing.
    #[serde(default)]
    pub cache: Option<CacheConfig>,
}

/// What becomes of a request about which nobody can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum OnUnavailable {
    /// It is refused with 503.
    #[default]
    Deny,
    /// It passes.
    Allow,
}

/// What is remembered of answers, in each worker.
#[config]
#[derive(Debug, Clone)]
pub struct CacheConfig {
    /// How long.
    pub ttl: Duration,
    /// How many answers, of 4 KiB at most; larger ones are not remembered.
    #[serde(default = "default_cache_size")]
    #[schemars(range(min = 2, max = 65_536))]
    pub size: usize,
    /// The header fields that requests with the same answer share. Default:
    /// all of `headers_to_send`. Leave one out only if the service does not look at it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub key: Option<Vec<HeaderName>>,
    /// Whether they share method, host, path and query, too.
    #[serde(default = "yes")]
    pub by_target: bool,
    /// Whether refusals are remembered, too.
    #[serde(default)]
    pub refusals: bool,
}

/// The name of a header field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct HeaderName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$"))] pub String,
);

fn names(names: &[&str]) -> Vec<HeaderName> {
    let name = |name: &&str| HeaderName((*name).to_owned());
    names.iter().map(name).collect()
}

fn default_to_send() -> Vec<HeaderName> {
    names(&["authorization", "cookie"])
}

fn default_to_client() -> Vec<HeaderName> {
    names(&[
        "content-type",
        "www-authenticate",
        "location",
        "set-cookie",
        "retry-after",
        "cache-control",
    ])
}

fn default_timeout() -> Duration {
    Duration::from_secs(1)
}

fn default_answer_bytes() -> u64 {
    64 << 10
}

fn default_cache_size() -> usize {
    1_024
}

fn yes() -> bool {
    true
}
