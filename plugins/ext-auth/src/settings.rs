//! From the configuration to what a step works with: everything the schema
//! cannot say is checked here, once.

use portcullis_sdk::http::Request;

use crate::ExtAuth;
use crate::cache::Cache;
use crate::config::{CacheConfig, Config, HeaderName};
use crate::question::{ORIGINAL, Question};

/// The shortest and the longest that an answer may take or be remembered.
const LONGEST_TIMEOUT_MS: u64 = 300_000;
const LONGEST_TTL_MS: u64 = 86_400_000;

/// Fields of which a plugin cannot set what is forwarded: those of one
/// connection and of framing, and what the gateway says itself.
const OWNED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

impl ExtAuth {
    /// Makes a step of its configuration.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub(crate) fn new(config: Config) -> Result<Self, String> {
        let target = target(&config)?;
        let timeout = config.timeout;
        if timeout.is_zero() || timeout.as_millis() > LONGEST_TIMEOUT_MS {
            return Err("`timeout` is longer than nothing and at most `5m`".into());
        }
        let to_send = headers("headers_to_send", config.headers_to_send)?;
        if let Some(name) = to_send
            .iter()
            .find(|name| ORIGINAL.contains(&name.as_str()))
        {
            return Err(format!(
                "`headers_to_send`: `{name}` is what this filter says itself"
            ));
        }
        let to_response = headers("headers_to_response", config.headers_to_response)?;
        if config.send_body && !to_response.is_empty() {
            return Err("`headers_to_response` cannot be used together with `send_body`".into());
        }
        if config.send_body && config.cache.is_some() {
            return Err(
                "`cache` cannot be used together with `send_body`: every body is another".into(),
            );
        }
        let remembers_refusals = config.cache.as_ref().is_some_and(|cache| cache.refusals);
        Ok(Self {
            cache: config
                .cache
                .map(|cache| remembered(cache, &to_send))
                .transpose()?,
            question: Question {
                request: target
                    .timeout(timeout.to_std())
                    .limit(config.max_answer_bytes),
                headers: to_send,
                take: headers("headers_to_take", config.headers_to_take)?,
                response: to_response,
                client: headers("headers_to_client", config.headers_to_client)?,
            },
            remembers_refusals,
            send_body: config.send_body,
            on_unavailable: config.on_unavailable,
        })
    }
}

/// Whom to ask for what.
fn target(config: &Config) -> Result<Request, String> {
    let method = match &config.method {
        Some(method) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => method,
        Some(_) => return Err("`method` is a word in capitals".into()),
        None if config.send_body => "POST",
        None => "GET",
    };
    if config.send_body && matches!(method, "GET" | "HEAD") {
        return Err(format!("`method`: a {method} has no body to send"));
    }
    match (&config.url, &config.service, &config.path) {
        (Some(url), None, None) => {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            if !is_http || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("`url` is no `http://` or `https://` address".into());
            }
            Ok(Request::new(method, url))
        }
        (None, Some(service), path) => {
            let path = path.as_deref().unwrap_or("/");
            if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("`path` does not begin with `/`".into());
            }
            Ok(Request::new(method, path).service(service))
        }
        (Some(_), None, Some(_)) => Err("`path` goes with `service`: put it into `url`".into()),
        _ => Err("say whom to ask: either `url` or `service`".into()),
    }
}

fn remembered(config: CacheConfig, to_send: &[String]) -> Result<Cache, String> {
    let ttl = config.ttl;
    if ttl.is_zero() || ttl.as_millis() > LONGEST_TTL_MS {
        return Err("`cache.ttl` is longer than nothing and at most `24h`".into());
    }
    let key = match config.key {
        Some(names) => headers("cache.key", names)?,
        None => to_send.to_vec(),
    };
    Ok(Cache::new(config.size, ttl.to_std(), key, config.by_target))
}

/// Names of header fields, in lower case and each once.
fn headers(key: &str, names: Vec<HeaderName>) -> Result<Vec<String>, String> {
    let mut checked = Vec::new();
    for HeaderName(name) in names {
        let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || mark(byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!(
                "`{key}`: `{}` is not a header's name",
                name.escape_debug()
            ));
        }
        let name = name.to_ascii_lowercase();
        if OWNED.contains(&name.as_str()) {
            return Err(format!("`{key}`: the gateway itself owns `{name}`"));
        }
        if !checked.contains(&name) {
            checked.push(name);
        }
    }
    Ok(checked)
}
