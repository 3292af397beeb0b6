//! Limits how many requests pass in a time.
//!
//! This file is the glue to the gateway. Whose requests are counted together is
//! in [`key`], one limit in [`limit`], several of them in [`step`]. The counting
//! itself is the gateway's: one atomic step that all workers share.

pub mod config;
pub mod fields;
pub mod key;
pub mod limit;
pub mod step;

use portcullis_sdk::{metrics, prelude::*};

use crate::config::Config;
use crate::key::Key;
use crate::limit::Limit;
use crate::step::Ruling;

/// Counters' keys have at most this many bytes.
const LONGEST_KEY: usize = 256;

/// One step of a route's pipeline.
pub struct RateLimit {
    limits: Vec<Limit>,
    /// The middle of each limit's counter keys: what does not change.
    middles: Vec<String>,
    /// Who shares the counters; none: the route.
    name: Option<String>,
    status: u16,
    ipv6_prefix: u8,
    /// The `RateLimit-Policy` of this step, if responses carry it.
    policy: Option<String>,
}

#[plugin(
    summary = "Limits how many requests pass in a time: token bucket, fixed or sliding window, several limits at once, exact across workers",
    config = Config
)]
impl RateLimit {
    fn configure(config: Config) -> Result<Self> {
        let limits = Limit::all(&config).map_err(Error::failure)?;
        let policy = fields::policy(&limits);
        let middles: Vec<_> = limits.iter().map(middle).collect();
        Ok(Self {
            limits,
            middles,
            name: config.name,
            status: config.status,
            ipv6_prefix: config.ipv6_prefix,
            policy: config.headers.then_some(policy),
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let ruling = step::rule(&self.limits, &self.keys(exchange));
        if let Some((limit, wait_ms)) = ruling.refused {
            return Ok(Verdict::Respond(
                self.refusal(exchange, &ruling, limit, wait_ms),
            ));
        }
        if let Some(policy) = &self.policy {
            let state = fields::state(&self.limits, &ruling.decisions);
            // Added, not set: the service, or another step like this one, may
            // have limits of its own. The request is counted by now: a response
            // that is full of fields goes out without these.
            let _left_out = exchange.append_to_response(&[
                ("ratelimit-policy", policy.as_bytes()),
                ("ratelimit", state.as_bytes()),
            ]);
        }
        Ok(Verdict::Next)
    }
}

impl RateLimit {
    /// The counters' keys for this request, one per limit.
    fn keys(&self, exchange: &Exchange) -> Vec<String> {
        let name = self.name.clone().unwrap_or_else(|| exchange.route());
        let mut known: Vec<(&Key, String)> = Vec::with_capacity(1);
        let keys = self.limits.iter().zip(&self.middles);
        keys.map(|(limit, middle)| {
            let at = known.iter().position(|(key, _)| **key == limit.key);
            let at = at.unwrap_or_else(|| {
                known.push((&limit.key, limit.key.identify(exchange, self.ipv6_prefix)));
                known.len() - 1
            });
            counter_key(&name, middle, &known[at].1)
        })
        .collect()
    }

    fn refusal(&self, exchange: &Exchange, ruling: &Ruling, limit: usize, wait_ms: u64) -> Answer {
        let seconds = fields::retry_after(wait_ms);
        let route = exchange.route();
        let labels = [
            ("limit", self.limits[limit].name.as_str()),
            ("route", route.as_str()),
        ];
        metrics::add("rate_limit_refused_total", &labels, 1);
        let detail = format!("the limit of requests is reached; try again in {seconds} s");
        let answer = Answer::problem(self.status, "Too Many Requests", &detail)
            .header("retry-after", seconds.to_string());
        match &self.policy {
            Some(policy) => answer
                .header("ratelimit-policy", policy)
                .header("ratelimit", fields::state(&self.limits, &ruling.decisions)),
            None => answer,
        }
    }
}

/// What does not change of a limit's keys. The time is part of it, so that a
/// limit whose time was changed by a reload starts afresh instead of reading
/// counters that mean something else.
fn middle(limit: &Limit) -> String {
    format!(
        "|{}|{}|{}|",
        limit.name,
        limit.algorithm.as_str(),
        limit.per_ms
    )
}

fn counter_key(name: &str, middle: &str, who: &str) -> String {
    let mut key = String::with_capacity(name.len() + middle.len() + who.len());
    key.push_str(name);
    key.push_str(middle);
    key.push_str(who);
    if key.len() > LONGEST_KEY {
        ["#", &key::digest(key.as_bytes())].concat()
    } else {
        key
    }
}
