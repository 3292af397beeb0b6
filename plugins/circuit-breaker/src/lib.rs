//! Stops sending requests to a service that fails, and tries it again later.
//!
//! This file is the glue to the gateway. The rules are in [`machine`], the
//! state that all workers share in [`word`] and [`breaker`]. Refuses nothing of
//! its own accord: only what the state of the target's breaker says.

pub mod breaker;
pub mod config;
pub mod machine;
pub mod notice;
pub mod outcome;
pub mod rate;
pub mod statuses;
pub mod ticket;
pub mod word;

use portcullis_sdk::prelude::*;

use crate::breaker::Entry;
use crate::config::{Config, Scope, Settings};
use crate::machine::Health;
use crate::ticket::Ticket;

/// One step of a route's pipeline.
pub struct CircuitBreaker {
    settings: Settings,
    /// The attribute that carries the ticket: one per scope, so that a breaker
    /// of the service and one of the route can stand in the same pipeline.
    attribute: &'static str,
    /// Targets whose state this instance has shown in the gauge. As few as the
    /// services and routes of the configuration.
    shown: Vec<String>,
}

#[plugin(
    summary = "Stops sending requests to a service that fails and tries it again later: closed, open and half-open, shared by all workers",
    config = Config
)]
impl CircuitBreaker {
    fn configure(config: Config) -> Result<Self> {
        let settings = config.settings().map_err(Error::failure)?;
        Ok(Self {
            settings,
            attribute: match settings.scope {
                Scope::Service => "circuit-breaker.service",
                Scope::Route => "circuit-breaker.route",
            },
            shown: Vec::new(),
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let target = target(self.settings.scope, exchange);
        self.show(&target);
        match breaker::enter(&self.settings, &target) {
            Entry::Pass(epoch, permit) => {
                let ticket = Ticket {
                    epoch,
                    permit,
                    target: &target,
                };
                exchange.set_attribute(self.attribute, ticket.to_string())?;
                Ok(Verdict::Next)
            }
            Entry::Refuse(left_ms) => {
                notice::refused(&target);
                Ok(Verdict::Respond(refusal(left_ms)))
            }
        }
    }

    fn on_completion(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        // No ticket: this step refused the request, or never saw it.
        let Some(text) = exchange.attribute(self.attribute) else {
            return;
        };
        let Some(ticket) = Ticket::parse(&text) else {
            return;
        };
        let health = outcome::judge(outcome, self.settings.statuses);
        if health == Health::Unknown && ticket.permit.is_none() {
            return;
        }
        breaker::leave(&self.settings, &ticket, health);
    }
}

impl CircuitBreaker {
    /// Shows the state of a breaker that this instance has not met yet, so that
    /// the gauge is there before the first transition.
    fn show(&mut self, target: &str) {
        if self.shown.iter().any(|shown| shown == target) {
            return;
        }
        self.shown.push(target.to_owned());
        notice::show(target, breaker::word(target).state);
    }
}

/// Whose breaker a request meets: its service's, or where none is chosen yet
/// its route's.
fn target(scope: Scope, exchange: &Exchange) -> String {
    let service = match scope {
        Scope::Service => exchange.service(),
        Scope::Route => None,
    };
    match service {
        Some(service) => format!("service:{service}"),
        None => format!("route:{}", exchange.route()),
    }
}

/// 503, with the time until the next trial. Says nothing of services and
/// instances, which are not the client's business.
fn refusal(left_ms: u64) -> Answer {
    let seconds = left_ms.div_ceil(1_000).max(1);
    Answer::problem(
        503,
        "Service Unavailable",
        "the service is failing and is given time to recover",
    )
    .header("retry-after", seconds.to_string())
}
