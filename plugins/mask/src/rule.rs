//! One rule, ready to run: an automaton that is told where to begin, and what
//! takes the place of what it finds.
//!
//! Owns what a match is. The automaton is built in full when the plugin is
//! configured, so that its states keep their meaning from one chunk of a body
//! to the next, whatever other bodies do in between. Refuses expressions that
//! match nothing at all, or that make it too large. Called by `rules`.

use std::collections::BTreeSet;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

use crate::config::RuleConfig;
use crate::preset::{self, Check, Prefix};
use crate::replacement::Replacement;

/// What an automaton, and making it, may take of memory, in bytes.
const LARGEST: usize = 4 << 20;

/// How many beginnings of a match are followed side by side.
const MOST_FOLLOWED: usize = 16;

/// How many states are looked into for the bytes that cut all off.
const MOST_STATES: usize = 1_000;

/// A rule.
#[derive(Debug)]
pub struct Rule {
    automaton: dense::DFA<Vec<u32>>,
    /// Where it starts, by the byte before.
    starts: Starts,
    /// Which bytes a match can begin with.
    begins: [bool; 256],
    /// Which bytes nothing is followed over that has not matched before them.
    cuts: [bool; 256],
    longest_step: usize,
    pub(crate) check: Option<Check>,
    pub(crate) prefix: Prefix,
    pub(crate) replacement: Replacement,
}

/// How far a walk along a text came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Where the match ends, as far as is known.
    pub(crate) end: Option<usize>,
    /// Where to go on when there is more text; none if more would not change
    /// anything.
    pub(crate) state: Option<StateID>,
}

impl Rule {
    /// Builds a rule, and gives the expression that it stands for.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(config: &RuleConfig, longest_step: usize) -> Result<(Self, String), String> {
        let (expression, check, prefix) = expression(config)?;
        let automaton = automaton(&expression, longest_step)?;
        let starts = Starts::new(&automaton);
        let rule = Self {
            begins: begins(&automaton, &starts),
            cuts: cuts(&automaton, &starts),
            starts,
            automaton,
            longest_step,
            check,
            prefix,
            replacement: Replacement::new(config)?,
        };
        Ok((rule, expression))
    }

    /// Whether a match can begin with this byte.
    pub(crate) fn begins_with(&self, byte: u8) -> bool {
        self.begins[usize::from(byte)]
    }

    /// Looks for a match that begins at `at`. `last` says that the text ends
    /// here for good.
    pub(crate) fn walk(&self, text: &[u8], at: usize, last: bool) -> Walk {
        self.walk_on(self.starts.at(text, at), text, at, at, last)
    }

    /// The first place from `at` on, and before `stretch`, where a match may
    /// begin, as far as can be told at little cost; else `stretch`. No match
    /// that ends in the text begins before that.
    ///
    /// What began before the last byte that cuts all off is over. Of the rest,
    /// all that begin are followed side by side, and of those that come to the
    /// same state only the first, for what becomes of one becomes of the other.
    pub(crate) fn first_candidate(&self, text: &[u8], at: usize, stretch: usize) -> usize {
        let cut = text[at..]
            .iter()
            .rposition(|byte| self.cuts[usize::from(*byte)]);
        let at = cut.map_or(at, |cut| at + cut + 1);
        if at >= stretch {
            return stretch;
        }
        let mut followed: Vec<(StateID, usize)> = Vec::with_capacity(MOST_FOLLOWED);
        let mut first = stretch;
        for (place, byte) in text.iter().enumerate().skip(at) {
            match followed.first() {
                Some((_, start)) if followed.len() == MOST_FOLLOWED => return first.min(*start),
                None if first <= place => return first,
                _ => {}
            }
            if self.begins_with(*byte) {
                followed.push((self.starts.at(text, place), place));
            }
            let mut kept = 0;
            for index in 0..followed.len() {
                let (state, start) = followed[index];
                let state = self.automaton.next_state(state, *byte);
                if self.automaton.is_match_state(state) {
                    first = first.min(start);
                } else if !self.automaton.is_dead_state(state)
                    && followed[..kept].iter().all(|(other, _)| *other != state)
                {
                    followed[kept] = (state, start);
                    kept += 1;
                }
            }
            followed.truncate(kept);
        }
        followed
            .first()
            .map_or(first, |(_, start)| first.min(*start))
    }

    /// Goes on from a state at `at`, `base` being where the match could have
    /// ended last, or where it begins.
    pub(crate) fn walk_on(
        &self,
        mut state: StateID,
        text: &[u8],
        base: usize,
        at: usize,
        last: bool,
    ) -> Walk {
        let mut base = base;
        let mut end = None;
        let settled = |end| Walk { end, state: None };
        for (place, byte) in text.iter().enumerate().skip(at) {
            if place - base > self.longest_step {
                return settled(end);
            }
            state = self.automaton.next_state(state, *byte);
            // A state tells of a match one byte late.
            if self.automaton.is_match_state(state) {
                end = Some(place);
                base = place;
            } else if self.automaton.is_dead_state(state) {
                return settled(end);
            }
        }
        let near = text.len() - base <= self.longest_step;
        if last {
            let state = self.automaton.next_eoi_state(state);
            let ends = near && self.automaton.is_match_state(state);
            return settled(if ends { Some(text.len()) } else { end });
        }
        if near && self.leads_only_to(state, |next| self.automaton.is_match_state(next)) {
            end = Some(text.len());
        }
        let over = self.leads_only_to(state, |next| self.automaton.is_dead_state(next));
        Walk {
            end,
            state: (!over).then_some(state),
        }
    }

    /// Whether all that can follow leads to states of a kind: with that, what
    /// is known already need not wait for the next chunk.
    fn leads_only_to(&self, state: StateID, kind: impl Fn(StateID) -> bool) -> bool {
        kind(self.automaton.next_eoi_state(state))
            && (0..=u8::MAX).all(|byte| kind(self.automaton.next_state(state, byte)))
    }
}

/// How all expressions are read: as bytes, with the classes of ASCII.
pub(crate) fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn expression(config: &RuleConfig) -> Result<(String, Option<Check>, Prefix), String> {
    match (&config.literal, &config.regex, config.preset) {
        (Some(literal), None, None) => Ok((regex_syntax::escape(literal), None, preset::nothing)),
        (None, Some(regex), None) => Ok((regex.clone(), None, preset::nothing)),
        (None, None, Some(preset)) => {
            let pattern = preset.pattern();
            Ok((pattern.expression.to_owned(), pattern.check, pattern.prefix))
        }
        _ => Err("needs one of `literal`, `regex` and `preset`".to_owned()),
    }
}

fn automaton(expression: &str, longest_step: usize) -> Result<dense::DFA<Vec<u32>>, String> {
    let parsed = syntax::parse_with(expression, &syntax()).map_err(|error| error.to_string())?;
    match parsed.properties().minimum_len() {
        Some(0) => return Err("would match where there is nothing".to_owned()),
        Some(least) if least > longest_step => {
            return Err(format!(
                "matches no less than {least} bytes, which is more than `max_match`"
            ));
        }
        Some(_) => {}
        None => return Err("can match nothing".to_owned()),
    }
    let too_large = |error: &dyn std::fmt::Display| format!("is too complex: {error}");
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(LARGEST)),
        )
        .build_from_hir(&parsed)
        .map_err(|error| too_large(&error))?;
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::LeftmostFirst)
        .accelerate(false)
        .dfa_size_limit(Some(LARGEST))
        .determinize_size_limit(Some(LARGEST));
    dense::Builder::new()
        .configure(config)
        .build_from_nfa(&nfa)
        .map_err(|error| too_large(&error))
}

/// Where an automaton starts.
#[derive(Debug)]
struct Starts {
    first: StateID,
    after: Box<[StateID; 256]>,
}

impl Starts {
    fn new(automaton: &dense::DFA<Vec<u32>>) -> Self {
        let start = |before| {
            let config = start::Config::new()
                .anchored(Anchored::Yes)
                .look_behind(before);
            automaton
                .start_state(&config)
                .expect("invariant: it is built for anchored starts, and no byte makes it give up")
        };
        let mut after = Box::new([start(None); 256]);
        for byte in 0..=u8::MAX {
            after[usize::from(byte)] = start(Some(byte));
        }
        Self {
            first: start(None),
            after,
        }
    }

    fn distinct(&self) -> BTreeSet<StateID> {
        self.after.iter().copied().chain([self.first]).collect()
    }

    /// For a match that begins at a place of a text.
    fn at(&self, text: &[u8], at: usize) -> StateID {
        let before = at.checked_sub(1).map(|before| text[before]);
        before.map_or(self.first, |byte| self.after[usize::from(byte)])
    }
}

/// Which bytes lead anywhere, whatever comes before them.
fn begins(automaton: &dense::DFA<Vec<u32>>, starts: &Starts) -> [bool; 256] {
    let distinct = starts.distinct();
    std::array::from_fn(|byte| {
        let leads_on = |start: &StateID| {
            let next = automaton.next_state(*start, byte as u8);
            !automaton.is_dead_state(next)
        };
        distinct.iter().any(leads_on)
    })
}

/// Which bytes end all, from every state that can be come to: either there is
/// nothing, or there is a match that ended before the byte. None if there are
/// too many states to find out.
fn cuts(automaton: &dense::DFA<Vec<u32>>, starts: &Starts) -> [bool; 256] {
    let mut cuts = [true; 256];
    let mut known: BTreeSet<StateID> = starts.distinct().into_iter().collect();
    let mut open: Vec<StateID> = known.iter().copied().collect();
    while let Some(state) = open.pop() {
        if known.len() > MOST_STATES {
            return [false; 256];
        }
        for byte in 0..=u8::MAX {
            let next = automaton.next_state(state, byte);
            if automaton.is_dead_state(next) {
                continue;
            }
            cuts[usize::from(byte)] &= automaton.is_match_state(next);
            if known.insert(next) {
                open.push(next);
            }
        }
    }
    cuts
}
