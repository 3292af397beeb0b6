//! Names of routes, services and plugins.
//!
//! They turn up in file names, URLs of the admin API, labels of metrics and
//! lines of the log; the characters allowed are plain in all of these.

use super::{Position, reader::Item, scalar};

const LONGEST: usize = 128;
const RULE: &str = "1 to 128 letters, digits, `-`, `_` and `.`, the first a letter or digit";

/// A name.
pub(super) fn name(item: &Item<'_>) -> Option<String> {
    checked(item, item.at(), scalar::text(item)?)
}

/// `text`, which stands at `at`, if it is a name; else a mistake in `item`.
pub(super) fn checked(item: &Item<'_>, at: Position, text: &str) -> Option<String> {
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !plain || !begins || text.len() > LONGEST {
        return item.mistake_at(at, format!("{} is not a name", item.shown(text)), RULE);
    }
    Some(text.to_owned())
}
