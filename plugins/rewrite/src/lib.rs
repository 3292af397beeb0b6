//! `rewrite`: another path or another service, by path and header.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written) and `rule` (what matches, and what becomes of the path).

pub mod config;
pub mod rule;

use portcullis_sdk::prelude::*;

use config::Config;
use rule::Rule;

/// The filter.
#[derive(Debug)]
pub struct Rewrite {
    rules: Vec<Rule>,
}

#[plugin(
    summary = "Rewrites the path and chooses the service by path prefix, path or header; the first matching rule wins",
    config = Config
)]
impl Rewrite {
    fn configure(config: Config) -> Result<Self> {
        let checked = |(index, rule)| {
            Rule::new(rule).map_err(|error| Error::failure(format!("rules[{index}]: {error}")))
        };
        let rules = config
            .rules
            .into_iter()
            .enumerate()
            .map(checked)
            .collect::<Result<_>>()?;
        Ok(Self { rules })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let path = exchange.path();
        let found = self.rules.iter().find_map(|rule| {
            let rest = rule.rest(&path)?;
            rule.headers_match(|name| exchange.request_header_values(name))
                .then_some((rule, rest))
        });
        if let Some((rule, rest)) = found {
            apply(rule, rest, exchange)?;
        }
        Ok(Verdict::Next)
    }
}

fn apply(rule: &Rule, rest: &str, exchange: &mut Exchange) -> Result<()> {
    if let Some(path) = rule.new_path(rest) {
        exchange.set_path(&path)?;
    }
    if let Some(service) = &rule.service {
        exchange.set_service(service).map_err(|error| {
            Error::failure(format!(
                "cannot send the request to service `{service}`: {error}"
            ))
        })?;
    }
    for (name, value) in &rule.set_headers {
        exchange.set_request_header(name, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
