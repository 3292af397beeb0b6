//! Asks an authorization service whether a request may pass.
//!
//! This file is the glue to the gateway: when somebody is asked, and what becomes
//! of the request then. What is asked and what an answer means is in
//! [`question`], what is remembered in [`cache`]. A request passes only if the
//! service says so, or if it cannot be asked and the configuration says so.

pub mod cache;
pub mod config;
pub mod question;
mod settings;

use portcullis_sdk::{clock, hooks, log, metrics, prelude::*};

use crate::cache::Cache;
use crate::config::{Config, OnUnavailable};
use crate::question::{Decision, Fields, Question};

/// One step of a route's pipeline.
#[derive(Debug)]
pub struct ExtAuth {
    question: Question,
    cache: Option<Cache>,
    remembers_refusals: bool,
    send_body: bool,
    on_unavailable: OnUnavailable,
}

#[plugin(
    summary = "Asks an authorization service whether a request may pass, and hands its answer on",
    config = Config
)]
impl ExtAuth {
    fn configure(config: Config) -> Result<Self> {
        if !config.send_body {
            hooks::skip_body(Side::Request);
        }
        Self::new(config).map_err(Error::failure)
    }

    async fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        if self.send_body && will_have_body(exchange) {
            // Filters between here and the body must not believe the client.
            remove_taken(&self.question, exchange);
            return Ok(Verdict::Next);
        }
        Ok(self.judge(exchange, None).await)
    }

    async fn on_request_buffered(
        &mut self,
        exchange: &mut Exchange,
        body: &mut Body,
    ) -> Result<Verdict> {
        Ok(self.judge(exchange, Some(body.bytes())).await)
    }
}

impl ExtAuth {
    async fn judge(&mut self, exchange: &mut Exchange, body: Option<Vec<u8>>) -> Verdict {
        let key = self.cache.as_ref().map(|cache| cache.key(exchange));
        let known = self.cache.as_ref().zip(key.as_ref());
        if let Some(decision) = known.and_then(|(cache, key)| cache.find(key, clock::now())) {
            count("remembered");
            return follow(&self.question, exchange, decision);
        }
        let decision = match self.question.ask(exchange, body).await {
            Ok(decision) => decision,
            Err(why) => return self.unavailable(exchange, &why),
        };
        let passes = matches!(decision, Decision::Pass { .. });
        count(if passes { "passed" } else { "refused" });
        if let Some((cache, key)) = self.cache.as_mut().zip(key)
            && (passes || self.remembers_refusals)
        {
            cache.keep(key, &decision, clock::now());
        }
        follow(&self.question, exchange, &decision)
    }

    fn unavailable(&self, exchange: &mut Exchange, why: &str) -> Verdict {
        count("unavailable");
        log::warn(format!("the authorization service cannot be asked: {why}"));
        match self.on_unavailable {
            OnUnavailable::Deny => impossible(),
            OnUnavailable::Allow => {
                remove_taken(&self.question, exchange);
                Verdict::Next
            }
        }
    }
}

/// True if the hook of the whole body will surely be called for this request.
/// A body of unknown length is none that is sure, so such a request is asked
/// about twice: before its body, and with it.
fn will_have_body(exchange: &Exchange) -> bool {
    let [length, upgrade] = exchange.request_headers(["content-length", "upgrade"]);
    let is_positive = |length: Vec<u8>| {
        length.iter().all(u8::is_ascii_digit) && length.iter().any(|digit| *digit != b'0')
    };
    upgrade.is_none() && length.is_some_and(is_positive)
}

/// Does as the service says.
fn follow(question: &Question, exchange: &mut Exchange, decision: &Decision) -> Verdict {
    match decision {
        Decision::Pass { request, response } => {
            remove_taken(question, exchange);
            // What the service says of the client is not left out: the filter would
            // fail, and `on_error: skip` would forgive that.
            hand_on(exchange, request, response).map_or_else(
                |error| {
                    log::warn(format!("the answer of the authorization service: {error}"));
                    impossible()
                },
                |()| Verdict::Next,
            )
        }
        Decision::Refuse {
            status,
            headers,
            body,
        } => {
            let mut answer = Answer::new(*status).body(body.clone());
            for (name, value) in headers {
                answer = answer.header(name.clone(), value);
            }
            Verdict::Respond(answer)
        }
    }
}

fn hand_on(exchange: &mut Exchange, request: &Fields, response: &Fields) -> Result<()> {
    for (name, value) in request {
        exchange.append_request_header(name, value)?;
    }
    if response.is_empty() {
        return Ok(());
    }
    let fields: Vec<(&str, &[u8])> = response.iter().map(|(n, v)| (&**n, &**v)).collect();
    exchange.append_to_response(&fields)
}

/// Removes what only the service may say, but a client can send.
fn remove_taken(question: &Question, exchange: &mut Exchange) {
    for name in &question.take {
        exchange.remove_request_header(name);
    }
}

fn impossible() -> Verdict {
    let detail = "it cannot be found out right now whether this request may pass";
    Verdict::Respond(Answer::problem(503, "Service Unavailable", detail))
}

fn count(outcome: &str) {
    metrics::add("ext_auth_decisions_total", &[("outcome", outcome)], 1);
}
