//! All rules together, and what finds places worth a closer look.
//!
//! Owns what is shared by the bodies that pass through one instance: the
//! rules, and the finder, a lazy automaton over all of them at once whose
//! states are made as they are met and are bounded in memory. It sees no
//! further than the text at hand, so it only says where no match can begin;
//! the rules themselves decide. Called by `masker`.

use std::cell::RefCell;

use regex_automata::hybrid::{BuildError, dfa, regex};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::{Input, MatchError};

use crate::config::RuleConfig;
use crate::rule::{self, Rule};

/// What the finder may take of memory for its states, in bytes, in each of its
/// two directions; and for what it makes them of.
const FINDER: usize = 2 << 20;

/// The rules of one configuration.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Which bytes a match of any rule can begin with.
    begins: [bool; 256],
    /// How many bytes it may take until a match can end.
    pub(crate) longest_step: usize,
    finder: regex::Regex,
    pub(crate) scratch: RefCell<Scratch>,
}

/// What is used again for one chunk after the other, of whichever body.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) cache: regex::Cache,
    pub(crate) text: Vec<u8>,
}

/// What there is at one place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// No match begins here.
    Nothing,
    /// That depends on what comes.
    Unsettled,
    /// A match of the rule of this number.
    Match { rule: usize, end: usize },
    /// A match that may go on: `state` says how.
    Open {
        rule: usize,
        end: usize,
        state: StateID,
    },
}

impl Rules {
    /// Builds the rules, in the order in which they count. `longest_step` is
    /// `max_match` in bytes.
    ///
    /// # Errors
    /// Names the rule that is wrong, and says what is wrong with it.
    pub fn new(configs: &[RuleConfig], longest_step: usize) -> Result<Self, String> {
        let mut rules = Vec::new();
        let mut expressions = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            let (rule, expression) = Rule::new(config, longest_step)
                .map_err(|error| format!("rules[{index}]: {error}"))?;
            rules.push(rule);
            expressions.push(expression);
        }
        let finder = finder(&expressions)
            .map_err(|error| format!("rules: too complex together: {error}"))?;
        let mut begins = [false; 256];
        for byte in 0..=u8::MAX {
            begins[usize::from(byte)] = rules.iter().any(|rule| rule.begins_with(byte));
        }
        let cache = finder.create_cache();
        Ok(Self {
            rules,
            begins,
            longest_step,
            finder,
            scratch: RefCell::new(Scratch {
                cache,
                text: Vec::new(),
            }),
        })
    }

    /// One of the rules.
    pub(crate) fn rule(&self, index: usize) -> &Rule {
        &self.rules[index]
    }

    /// The first stretch of a text, from `at` on, that some rule matches, were
    /// the text to end where it does and matches of any length.
    pub(crate) fn stretch(
        &self,
        cache: &mut regex::Cache,
        text: &[u8],
        at: usize,
    ) -> Result<Option<(usize, usize)>, MatchError> {
        let found = self
            .finder
            .try_search(cache, &Input::new(text).range(at..))?;
        Ok(found.map(|found| (found.start(), found.end())))
    }

    /// The first place from `at` on where a match of some rule begins or may
    /// begin, as far as can be told at little cost. There is none within the
    /// text before `stretch`.
    pub(crate) fn first_candidate(&self, text: &[u8], at: usize, stretch: usize) -> usize {
        let rules = self.rules.iter();
        let candidates = rules.map(|rule| rule.first_candidate(text, at, stretch));
        candidates.min().unwrap_or(text.len())
    }

    /// What there is at one place. `last` says that the text ends for good
    /// where it ends.
    pub(crate) fn at(&self, text: &[u8], at: usize, last: bool) -> Found {
        let byte = text[at];
        if !self.begins[usize::from(byte)] {
            return Found::Nothing;
        }
        let candidates = self.rules.iter().enumerate();
        for (index, rule) in candidates.filter(|(_, rule)| rule.begins_with(byte)) {
            let walk = rule.walk(text, at, last);
            let found = match (walk.end, walk.state, rule.check) {
                (None, None, _) => None,
                (None, Some(_), _) | (Some(_), Some(_), Some(_)) => Some(Found::Unsettled),
                (Some(end), Some(state), None) => Some(Found::Open {
                    rule: index,
                    end,
                    state,
                }),
                (Some(end), None, None) => Some(Found::Match { rule: index, end }),
                (Some(end), None, Some(check)) => {
                    check(&text[at..end]).map(|length| Found::Match {
                        rule: index,
                        end: at + length,
                    })
                }
            };
            if let Some(found) = found {
                return found;
            }
        }
        Found::Nothing
    }
}

fn finder(expressions: &[String]) -> Result<regex::Regex, Box<BuildError>> {
    let states = dfa::Config::new()
        .cache_capacity(FINDER)
        .skip_cache_capacity_check(true);
    let nfa = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(FINDER));
    regex::Builder::new()
        .syntax(rule::syntax())
        .thompson(nfa)
        .dfa(states)
        .build_many(expressions)
        .map_err(Box::new)
}
