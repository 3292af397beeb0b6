//! What should come out, found in the plainest way there is: the whole text in
//! memory, each place tried with each rule, another matcher.

use std::ops::Range;

use mask::config::{Preset, RuleConfig};
use mask::preset::Check;
use regex::bytes::{Regex, RegexBuilder};

use crate::{literal, regex};

/// A rule, and the text in its place.
pub(crate) struct Plain {
    regex: Regex,
    check: Option<Check>,
    pub(crate) config: RuleConfig,
}

/// Rules that meet each other, words, lines, and ends of all kinds.
pub(crate) fn all() -> Vec<Plain> {
    let named = |preset: Preset, replace: &str| RuleConfig {
        preset: Some(preset),
        replace: Some(replace.to_owned()),
        ..RuleConfig::default()
    };
    [
        literal("abab", "<1>"),
        regex("b[ab]*c", "<2>"),
        regex("ca+?b|ca", "<3>"),
        regex(r"\bdo\b", "<4>"),
        regex(r"(?m)^x+$", "<5>"),
        regex(r"x.*y", "<6>"),
        regex(r"\Bq\B|q\z", "<7>"),
        named(Preset::CreditCard, "<8>"),
        named(Preset::Iban, "<9>"),
        named(Preset::Email, "<10>"),
        regex("[0-9]{5}", "<11>"),
        literal("é", "<12>"),
    ]
    .into_iter()
    .map(Plain::new)
    .collect()
}

impl Plain {
    fn new(config: RuleConfig) -> Self {
        let pattern = config.preset.map(Preset::pattern);
        let expression = match (&config.literal, &config.regex, &pattern) {
            (Some(literal), ..) => regex::escape(literal),
            (_, Some(regex), _) => regex.clone(),
            (.., pattern) => pattern.as_ref().expect("a preset").expression.to_owned(),
        };
        Self {
            regex: RegexBuilder::new(&expression)
                .unicode(false)
                .build()
                .expect("valid"),
            check: pattern.and_then(|pattern| pattern.check),
            config,
        }
    }

    fn at(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let found = self
            .regex
            .find_at(text, at)
            .filter(|found| found.start() == at)?;
        let length = match self.check {
            Some(check) => check(found.as_bytes())?,
            None => found.len(),
        };
        Some(at..at + length)
    }
}

/// What becomes of a text if no match is too long.
pub(crate) fn masked(rules: &[Plain], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match rules
            .iter()
            .find_map(|rule| Some((rule, rule.at(text, at)?)))
        {
            Some((rule, found)) => {
                out.extend_from_slice(rule.config.replace.as_ref().expect("a text").as_bytes());
                at = found.end;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// What becomes of a text by one greedy expression without look-around, where
/// it may take no more than `step` bytes to the next end.
pub(crate) fn masked_in_steps(
    expression: &str,
    replace: &str,
    step: usize,
    text: &[u8],
) -> Vec<u8> {
    let full = RegexBuilder::new(&format!(r"\A(?:{expression})\z"))
        .unicode(false)
        .build()
        .expect("valid");
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let mut end = at;
        while let Some(next) =
            (end + 1..=text.len().min(end + step)).find(|next| full.is_match(&text[at..*next]))
        {
            end = next;
        }
        if end > at {
            out.extend_from_slice(replace.as_bytes());
            at = end;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}
