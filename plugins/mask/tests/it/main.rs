//! What comes out of a body, whatever its chunks are.

mod configuration;
mod filter;
mod oracle;
mod presets;
mod schema;
mod splits;
mod streams;

use std::rc::Rc;

use mask::config::RuleConfig;
use mask::masker::Masker;
use mask::rules::Rules;

/// A rule for a regular expression, replaced by a text.
fn regex(regex: &str, replace: &str) -> RuleConfig {
    RuleConfig {
        regex: Some(regex.to_owned()),
        replace: Some(replace.to_owned()),
        ..RuleConfig::default()
    }
}

/// A rule for a text.
fn literal(literal: &str, replace: &str) -> RuleConfig {
    RuleConfig {
        literal: Some(literal.to_owned()),
        replace: Some(replace.to_owned()),
        ..RuleConfig::default()
    }
}

fn rules(rules: &[RuleConfig], max_match: usize) -> Rc<Rules> {
    Rc::new(Rules::new(rules, max_match).expect("the rules are valid"))
}

/// What becomes of a body in these chunks.
fn masked<'c>(rules: &Rc<Rules>, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut masker = Masker::new(Rc::clone(rules));
    for chunk in chunks {
        masker.push(chunk, &mut out);
    }
    masker.finish(&mut out);
    out
}

/// What becomes of a text in one chunk, and byte by byte.
fn check(rules: &Rc<Rules>, text: &str, expected: &str) {
    let whole = masked(rules, [text.as_bytes()]);
    assert_eq!(String::from_utf8_lossy(&whole), expected, "of {text:?}");
    let pieces = masked(rules, text.as_bytes().chunks(1));
    assert_eq!(
        String::from_utf8_lossy(&pieces),
        expected,
        "of the bytes of {text:?}"
    );
}
