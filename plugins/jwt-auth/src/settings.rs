//! From the configuration to what a step works with: everything the schema
//! cannot say is checked here, once.

use std::collections::BTreeMap;

use portcullis_sdk::config::Duration;

use crate::cache::Cache;
use crate::claims::Rules;
use crate::config::{Config, OneOrMany};
use crate::keys::Keys;
use crate::problem::Answers;
use crate::public::PublicPaths;
use crate::remote::Remote;
use crate::source::Source;
use crate::{JwtAuth, names};

/// The largest leeway: above it, expiry means little.
const LONGEST_LEEWAY: Duration = Duration::from_secs(3_600);

impl JwtAuth {
    /// Makes a step of its configuration.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub(crate) fn new(config: Config) -> Result<Self, String> {
        if config.leeway > LONGEST_LEEWAY {
            return Err(format!(
                "`leeway` is {}, but at most {LONGEST_LEEWAY}",
                config.leeway
            ));
        }
        let keys = Keys::new(&config)?;
        let remote = Remote::new(&config)?.map(Box::new);
        let issuer = config.issuer.map(OneOrMany::into_list);
        let discovered = config.oidc_discovery.map(|issuer| vec![issuer]);
        let header = names::header("header", &config.header)?;
        let scopes: Vec<_> = config
            .required_scopes
            .into_iter()
            .map(|scope| scope.0)
            .collect();
        let patterns = config.public_paths.into_iter().map(|pattern| pattern.0);
        Ok(Self {
            keys,
            remote,
            cache: Cache::new(config.cache.size),
            answers: Answers::new(config.realm, &scopes),
            public: PublicPaths::new(patterns.collect())?,
            rules: Rules {
                issuers: issuer.or(discovered),
                audiences: config.audience.map(OneOrMany::into_list),
                leeway_ms: config.leeway.as_millis(),
                require_expiry: config.require_expiry,
                required_scopes: scopes,
                headers: to_headers(config.claims_to_headers, &header)?,
                attributes: to_attributes(config.claims_to_attributes)?,
            },
            source: Source {
                header,
                scheme: config.scheme,
                cookie: config.cookie,
                query: config.query,
            },
            forward_token: config.forward_token,
            longest_token: config.max_token_bytes,
        })
    }
}

fn to_headers(
    claims: BTreeMap<String, String>,
    token: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut headers = Vec::<(String, String)>::new();
    for (claim, name) in claims {
        let name = names::header("claims_to_headers", &name)?;
        if name == token {
            return Err(format!(
                "`claims_to_headers`: `{name}` carries the token itself"
            ));
        }
        if headers.iter().any(|(_, other)| *other == name) {
            return Err(format!("`claims_to_headers`: two claims go into `{name}`"));
        }
        headers.push((claim, name));
    }
    Ok(headers)
}

fn to_attributes(claims: BTreeMap<String, String>) -> Result<Vec<(String, String)>, String> {
    let mut attributes = Vec::<(String, String)>::new();
    for (claim, name) in claims {
        names::attribute("claims_to_attributes", &name)?;
        if attributes.iter().any(|(_, other)| *other == name) {
            return Err(format!(
                "`claims_to_attributes`: two claims go into `{name}`"
            ));
        }
        attributes.push((claim, name));
    }
    Ok(attributes)
}
