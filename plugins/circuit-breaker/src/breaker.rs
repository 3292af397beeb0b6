//! The breaker over the gateway's shared counters: reads a word, asks the rules,
//! and writes the next word if nobody else was faster.

use portcullis_sdk::{clock, counters, crypto, random};

use crate::config::Settings;
use crate::machine::{Admission, Health};
use crate::notice;
use crate::rate::{Tally, window};
use crate::ticket::{Mark, Permit, Ticket};
use crate::word::{Moment, State, Word};

/// How long a word outlives the time that the breaker stays open. A breaker
/// without traffic for so long is forgotten, which is to say closed.
const KEEP_MS: u64 = 86_400_000;

/// How often a change is tried again because another worker was faster. Each
/// such time somebody got on, so that this is only to say that no loop is endless.
const ATTEMPTS: u32 = 100;

/// Keys have at most 256 bytes; longer names than this are digested.
const LONGEST_NAME: usize = 180;

/// What a request may do.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// Pass, and carry this with it: the epoch, and the permit of a trial.
    Pass(u16, Option<Permit>),
    /// Not pass, and come back after so many milliseconds.
    Refuse(u64),
}

/// A breaker: whose it is, and the key of its word, which every request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// `service:users`, `route:users`.
    pub target: String,
    /// A number that stands for the target.
    pub mark: Mark,
    key: String,
}

impl Breaker {
    /// The breaker of a target.
    pub fn of(target: String) -> Self {
        Self {
            key: key("state", &target),
            mark: Mark::of(&target),
            target,
        }
    }

    /// Its state, for the gauge.
    pub fn word(&self) -> Word {
        Word::unpack(counters::get(&self.key))
    }
}

/// Lets a request for this target through, or not.
pub fn enter(settings: &Settings, breaker: &Breaker) -> Entry {
    let Breaker { target, key, .. } = breaker;
    for _ in 0..ATTEMPTS {
        let value = counters::get(key);
        let word = Word::unpack(value);
        // What nearly every request meets: one look-up, and not even the time.
        if word.state == State::Closed {
            return Entry::Pass(word.epoch, None);
        }
        match settings.admit(word, Moment::new(now_ms())) {
            Admission::Pass => return Entry::Pass(word.epoch, None),
            Admission::Refuse(left) => return Entry::Refuse(left),
            Admission::Move(next) => {
                write(settings, key, target, value, next);
            }
            Admission::Trial => {
                let Some(permit) = acquire(settings, target) else {
                    return Entry::Refuse(0);
                };
                // While the permit was fetched, a sibling may have opened the
                // breaker again: then this is a trial of nothing.
                if Word::unpack(counters::get(key)).epoch == word.epoch {
                    return Entry::Pass(word.epoch, Some(permit));
                }
                release(settings, target, permit);
            }
        }
    }
    Entry::Refuse(0)
}

/// Takes note of how a request that was let through ended. The breaker is that
/// of the ticket.
pub fn leave(settings: &Settings, breaker: &Breaker, ticket: &Ticket<'_>, health: Health) {
    if health != Health::Unknown {
        let rate = ticket.permit.is_none() && rate_is_reached(settings, ticket, health);
        note(settings, breaker, ticket, health, rate);
    }
    // After the word, so that the next trial sees what this one found.
    if let Some(permit) = ticket.permit {
        release(settings, ticket.target, permit);
    }
}

/// Moves the word by the outcome of one request.
fn note(settings: &Settings, breaker: &Breaker, ticket: &Ticket<'_>, health: Health, rate: bool) {
    // A success does not look at the time, and most requests succeed.
    let now = match health {
        Health::Bad => Moment::new(now_ms()),
        Health::Good | Health::Unknown => Moment::default(),
    };
    for _ in 0..ATTEMPTS {
        let value = counters::get(&breaker.key);
        let word = Word::unpack(value);
        let next = match (ticket.permit, health) {
            (Some(_), health) => settings.tried(word, ticket.epoch, health, now),
            (None, Health::Bad) => settings.failed(word, ticket.epoch, now, rate),
            (None, _) => settings.succeeded(word, ticket.epoch),
        };
        let Some(next) = next else { return };
        if write(settings, &breaker.key, ticket.target, value, next) {
            return;
        }
    }
}

/// Writes a word if the old one still stands, and tells of a transition.
fn write(settings: &Settings, key: &str, target: &str, old: Option<i64>, new: Word) -> bool {
    let ttl = settings.open_ms + KEEP_MS;
    let written = counters::compare_and_set(key, old, new.pack(), ttl);
    if written && Word::unpack(old).state != new.state {
        notice::moved(target, new.state);
    }
    written
}

/// Counts a request towards the failure rate; true if the rate now opens.
fn rate_is_reached(settings: &Settings, ticket: &Ticket<'_>, health: Health) -> bool {
    let Some(rate) = settings.failure_rate else {
        return false;
    };
    let failed = health == Health::Bad;
    let (number, elapsed) = window(now_ms(), settings.window_ms);
    let tally = |number: u64| key(&format!("rate|{}|{number}", ticket.epoch), ticket.target);
    let ttl = settings.window_ms * 2;
    let current = counters::add(&tally(number), Tally::delta(failed), ttl);
    if !failed {
        return false;
    }
    let previous = counters::get(&tally(number.wrapping_sub(1)));
    rate.is_reached(
        Tally::unpack(Some(current)),
        Tally::unpack(previous),
        elapsed,
        settings.window_ms,
    )
}

/// Takes a place among the trials; none if all are taken.
fn acquire(settings: &Settings, target: &str) -> Option<Permit> {
    // Above zero: zero is a free place.
    let id = (random::u64() >> 1).cast_signed().max(1);
    (0..settings.trials).find_map(|slot| {
        let key = trial_key(slot, target);
        let held = counters::get(&key);
        (held.unwrap_or(0) == 0 && counters::compare_and_set(&key, held, id, settings.trial_ms))
            .then_some(Permit { slot, id })
    })
}

/// Gives the place back, if it still is this trial's.
fn release(settings: &Settings, target: &str, permit: Permit) {
    let key = trial_key(permit.slot, target);
    counters::compare_and_set(&key, Some(permit.id), 0, settings.trial_ms);
}

fn trial_key(slot: u16, target: &str) -> String {
    key(&format!("trial|{slot}"), target)
}

/// The key of something of a target, at most 256 bytes.
fn key(what: &str, target: &str) -> String {
    let mut key = String::with_capacity(what.len() + 1 + target.len().min(LONGEST_NAME));
    key.push_str(what);
    key.push('|');
    if target.len() <= LONGEST_NAME {
        key.push_str(target);
    } else {
        for byte in crypto::digest(crypto::DigestAlgorithm::Sha256, target.as_bytes()) {
            key.push_str(&format!("{byte:02x}"));
        }
    }
    key
}

fn now_ms() -> u64 {
    u64::try_from(clock::now().as_millis()).unwrap_or(u64::MAX)
}
