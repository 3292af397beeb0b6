//! One body as it streams by, in chunks of any size.
//!
//! Owns what is held back of it: what may still become a match, which is at
//! most `max_match` and a byte, and of a match that is going on no more than
//! how far it came. The result is the same whatever the chunks are. Called by
//! the glue, one for each body.

use std::rc::Rc;

use regex_automata::hybrid::regex::Cache;
use regex_automata::util::primitives::StateID;

use crate::replacement::Progress;
use crate::rules::{Found, Rules};

/// How much is looked at in one go.
const BLOCK: usize = 64 << 10;

/// How far to look closely after a place near the end that looked like a match.
const CLOSELY: usize = 32;

/// One body.
#[derive(Debug)]
pub struct Masker {
    rules: Rc<Rules>,
    /// What is not settled, after the byte before it if there is one.
    held: Vec<u8>,
    /// Where in `held` it begins: 0 or 1.
    at: usize,
    open: Option<Open>,
}

/// A match that is being replaced and may go on.
#[derive(Debug)]
struct Open {
    rule: usize,
    state: StateID,
    progress: Progress,
    /// How many of the bytes after its end, as far as is known, were looked at.
    walked: usize,
}

/// A text and what is known of it.
struct Pass<'p> {
    rules: &'p Rules,
    cache: &'p mut Cache,
    text: &'p [u8],
    /// Whether the body ends where the text does.
    last: bool,
    /// Before here, all is out.
    at: usize,
    /// Before here, each place is looked at without asking the finder.
    closely_until: usize,
    out: &'p mut Vec<u8>,
}

impl Masker {
    /// A body that begins.
    pub fn new(rules: Rc<Rules>) -> Self {
        Self {
            rules,
            held: Vec::new(),
            at: 0,
            open: None,
        }
    }

    /// Takes a chunk, and appends to `out` what goes on.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.take(chunk, false, out);
    }

    /// Ends the body: appends to `out` what is left of it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.take(&[], true, out);
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len() - self.at
    }

    fn take(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) {
        let rules = Rc::clone(&self.rules);
        let scratch = &mut *rules.scratch.borrow_mut();
        let text = &mut scratch.text;
        text.clear();
        text.extend_from_slice(&self.held);
        if last {
            self.settle(&rules, &mut scratch.cache, text, true, out);
        }
        for block in chunk.chunks(BLOCK) {
            text.extend_from_slice(block);
            self.settle(&rules, &mut scratch.cache, text, false, out);
        }
        self.held.clear();
        self.held.extend_from_slice(text);
    }

    /// Lets go of as much of a text as is settled, and leaves the rest in it.
    fn settle(
        &mut self,
        rules: &Rules,
        cache: &mut Cache,
        text: &mut Vec<u8>,
        last: bool,
        out: &mut Vec<u8>,
    ) {
        let mut pass = Pass {
            rules,
            cache,
            text,
            last,
            at: self.at,
            closely_until: 0,
            out,
        };
        let open = self.open.take();
        self.open = open.and_then(|open| pass.go_on(open));
        if self.open.is_none() {
            self.open = pass.mask();
        }
        let at = pass.at;
        // The byte before tells whether a word or a line begins.
        self.at = at.min(1);
        text.drain(..at - self.at);
    }
}

impl Pass<'_> {
    /// Replaces matches up to the end, or to where more text is needed. Gives
    /// the match that may go on.
    fn mask(&mut self) -> Option<Open> {
        let mut place = self.at;
        while place < self.text.len() {
            if place >= self.closely_until {
                place = self.skip(place);
                continue;
            }
            match self.rules.at(self.text, place, self.last) {
                Found::Nothing => place += 1,
                Found::Unsettled => break,
                Found::Match { rule, end } => {
                    let progress = self.begin(place, rule, end);
                    self.rules.rule(rule).replacement.finish(progress, self.out);
                    place = end;
                    self.closely_until = end;
                }
                Found::Open { rule, end, state } => {
                    let progress = self.begin(place, rule, end);
                    let walked = self.text.len() - end;
                    return Some(Open {
                        rule,
                        state,
                        progress,
                        walked,
                    });
                }
            }
        }
        self.copy_up_to(place);
        None
    }

    /// The next place where a match may begin; sets how far to look closely
    /// from there. What is too near to the end for the finder, which takes the
    /// end of the text for that of the body, is left to the rules.
    fn skip(&mut self, place: usize) -> usize {
        let near = if self.last {
            0
        } else {
            self.rules.longest_step + 1
        };
        let tail = self.text.len().saturating_sub(near).max(place);
        let (start, end) = match self.rules.stretch(self.cache, self.text, place) {
            Ok(found) => found.unwrap_or((self.text.len(), self.text.len())),
            // It never gives up as it is configured; if it did, all is looked at.
            Err(_) => (place, self.text.len()),
        };
        if start < tail {
            self.closely_until = end;
            return start;
        }
        let candidate = self.rules.first_candidate(self.text, tail, start);
        self.closely_until = candidate + CLOSELY;
        candidate
    }

    /// Begins to replace a match that reaches to `end` at least.
    fn begin(&mut self, start: usize, rule: usize, end: usize) -> Progress {
        self.copy_up_to(start);
        let rule = self.rules.rule(rule);
        let kept = (rule.prefix)(&self.text[start..end]);
        self.copy_up_to(start + kept);
        let mut progress = rule.replacement.begin(self.out);
        let hidden = &self.text[start + kept..end];
        rule.replacement.absorb(&mut progress, hidden, self.out);
        self.at = end;
        progress
    }

    /// Goes on with a match. Gives it back if it may still go on.
    fn go_on(&mut self, mut open: Open) -> Option<Open> {
        let rule = self.rules.rule(open.rule);
        let from = self.at + open.walked;
        let walk = rule.walk_on(open.state, self.text, self.at, from, self.last);
        if let Some(end) = walk.end {
            let hidden = &self.text[self.at..end];
            rule.replacement
                .absorb(&mut open.progress, hidden, self.out);
            self.at = end;
        }
        match walk.state {
            Some(state) => {
                open.state = state;
                open.walked = self.text.len() - self.at;
                Some(open)
            }
            None => {
                rule.replacement.finish(open.progress, self.out);
                None
            }
        }
    }

    fn copy_up_to(&mut self, place: usize) {
        self.out.extend_from_slice(&self.text[self.at..place]);
        self.at = place;
    }
}
