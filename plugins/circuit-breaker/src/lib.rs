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

use crate::breaker::{Breaker, Entry};
use crate::config::{Config, Scope, Settings};
use crate::machine::Health;
use crate::ticket::{Note, Ticket};

/// One step of a route's pipeline.
pub struct CircuitBreaker {
    settings: Settings,
    /// The attribute that carries a trial's ticket: one per scope, so that a
    /// breaker of the service and one of the route can stand in the same pipeline.
    attribute: &'static str,
    /// The breakers that this instance has met, and shown in the gauge. As few as
    /// the services and routes of the configuration.
    breakers: Vec<Breaker>,
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
            breakers: Vec::new(),
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let at = self.find(whose(self.settings.scope, exchange).parts());
        let breaker = &self.breakers[at];
        match breaker::enter(&self.settings, breaker) {
            Entry::Pass(epoch, None) => {
                let mark = breaker.mark;
                exchange.set_note(Note { mark, epoch }.pack());
                Ok(Verdict::Next)
            }
            Entry::Pass(epoch, permit) => {
                let ticket = Ticket {
                    epoch,
                    permit,
                    target: &breaker.target,
                };
                exchange.set_attribute(self.attribute, ticket.write())?;
                Ok(Verdict::Next)
            }
            Entry::Refuse(left_ms) => {
                notice::refused(&breaker.target);
                Ok(Verdict::Respond(refusal(left_ms)))
            }
        }
    }

    fn on_completion(&mut self, exchange: &mut Exchange, outcome: &Outcome) {
        let health = outcome::judge(outcome, self.settings.statuses);
        if let Some(Note { mark, epoch }) = Note::unpack(exchange.note()) {
            // Not there if the instance is another by now: then the outcome of
            // the few requests of that moment is not counted.
            let breaker = self.breakers.iter().find(|breaker| breaker.mark == mark);
            if let Some(breaker) = breaker
                && health != Health::Unknown
            {
                let ticket = Ticket {
                    epoch,
                    permit: None,
                    target: &breaker.target,
                };
                breaker::leave(&self.settings, breaker, &ticket, health);
            }
            return;
        }
        // No ticket: this step refused the request, or never saw it.
        let Some(text) = exchange.attribute(self.attribute) else {
            return;
        };
        if let Some(ticket) = Ticket::parse(&text) {
            let at = self.find([ticket.target, ""]);
            breaker::leave(&self.settings, &self.breakers[at], &ticket, health);
        }
    }
}

impl CircuitBreaker {
    /// The place of the breaker of a target, whose name is given in two parts.
    /// One that this instance has not met yet is shown, so that the gauge is
    /// there before the first transition.
    fn find(&mut self, [front, back]: [&str; 2]) -> usize {
        let is = |breaker: &Breaker| breaker.target.strip_prefix(front) == Some(back);
        self.breakers.iter().position(is).unwrap_or_else(|| {
            let breaker = Breaker::of([front, back].concat());
            notice::show(&breaker.target, breaker.word().state);
            self.breakers.push(breaker);
            self.breakers.len() - 1
        })
    }
}

/// Whose breaker a request meets: its service's, or where none is chosen yet
/// its route's.
enum Whose {
    Service(String),
    Route(String),
}

impl Whose {
    /// The two parts of the target's name.
    fn parts(&self) -> [&str; 2] {
        match self {
            Self::Service(name) => ["service:", name],
            Self::Route(name) => ["route:", name],
        }
    }
}

fn whose(scope: Scope, exchange: &Exchange) -> Whose {
    let service = match scope {
        Scope::Service => exchange.service(),
        Scope::Route => None,
    };
    match service {
        Some(service) => Whose::Service(service),
        None => Whose::Route(exchange.route()),
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
