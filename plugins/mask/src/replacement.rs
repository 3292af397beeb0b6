//! What takes the place of a match.
//!
//! Owns the text that is put there, also while the match is still going on: of
//! a match of any length no more is kept than the characters that are to stay.
//! Called by `masker`.

use crate::config::RuleConfig;

/// What takes the place of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// This text.
    Text(String),
    /// `fill` for each character but the last ones.
    KeepLast {
        /// How many stay.
        count: usize,
        /// What each other becomes.
        fill: String,
    },
}

/// A match that is being replaced.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Characters so far.
    seen: usize,
    /// How many `fill`s are out.
    filled: usize,
    /// The last characters, as many as may stay.
    tail: Vec<u8>,
}

impl Replacement {
    /// Reads it from a rule.
    ///
    /// # Errors
    /// Says which keys do not go together.
    pub fn new(config: &RuleConfig) -> Result<Self, String> {
        let fill = config.fill.as_deref();
        match (&config.replace, config.keep_last) {
            (Some(_), Some(_)) => Err("`replace` and `keep_last` exclude one another".to_owned()),
            (_, None) if fill.is_some() => Err("`fill` needs `keep_last`".to_owned()),
            (Some(text), None) => Ok(Self::Text(text.clone())),
            (None, None) => Ok(Self::Text("***".to_owned())),
            (None, Some(0)) => Err("`keep_last` must be at least 1".to_owned()),
            (None, Some(count)) => {
                let fill = fill.unwrap_or("*");
                if fill.chars().count() != 1 {
                    return Err("`fill` must be one character".to_owned());
                }
                let (count, fill) = (usize::from(count), fill.to_owned());
                Ok(Self::KeepLast { count, fill })
            }
        }
    }

    /// Begins to replace a match.
    pub(crate) fn begin(&self, out: &mut Vec<u8>) -> Progress {
        if let Self::Text(text) = self {
            out.extend_from_slice(text.as_bytes());
        }
        Progress::default()
    }

    /// Takes more of the match.
    pub(crate) fn absorb(&self, progress: &mut Progress, bytes: &[u8], out: &mut Vec<u8>) {
        let Self::KeepLast { count, fill } = self else {
            return;
        };
        progress.seen += bytes.iter().filter(|byte| begins_character(byte)).count();
        let kept = last_characters(bytes, *count);
        progress.tail.extend_from_slice(kept);
        let excess = progress.tail.len() - last_characters(&progress.tail, *count).len();
        progress.tail.drain(..excess);
        progress.fill_up_to(progress.seen.saturating_sub(*count), fill, out);
    }

    /// Ends the match.
    pub(crate) fn finish(&self, mut progress: Progress, out: &mut Vec<u8>) {
        let Self::KeepLast { count, fill } = self else {
            return;
        };
        if progress.seen >= count * 2 {
            out.extend_from_slice(&progress.tail);
        } else {
            progress.fill_up_to(progress.seen.max(1), fill, out);
        }
    }
}

impl Progress {
    fn fill_up_to(&mut self, count: usize, fill: &str, out: &mut Vec<u8>) {
        for _ in self.filled..count {
            out.extend_from_slice(fill.as_bytes());
        }
        self.filled = self.filled.max(count);
    }
}

/// The last characters of a text in UTF-8; all of it if there are fewer.
fn last_characters(text: &[u8], count: usize) -> &[u8] {
    let starts = text.iter().enumerate().rev();
    let mut starts = starts.filter(|(_, byte)| begins_character(byte));
    let from = starts.nth(count - 1).map_or(0, |(at, _)| at);
    &text[from..]
}

fn begins_character(byte: &u8) -> bool {
    byte & 0xC0 != 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(count: u8, fill: &str, pieces: &[&[u8]]) -> String {
        let replacement = Replacement::new(&RuleConfig {
            keep_last: Some(count),
            fill: Some(fill.to_owned()),
            ..RuleConfig::default()
        })
        .expect("valid");
        let mut out = Vec::new();
        let mut progress = replacement.begin(&mut out);
        for piece in pieces {
            replacement.absorb(&mut progress, piece, &mut out);
        }
        replacement.finish(progress, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_last_characters_stay_if_they_are_no_more_than_half() {
        for (count, text, expected) in [
            (4, "4111111111111111", "************1111"),
            (4, "12345678", "****5678"),
            (4, "1234567", "*******"),
            (1, "a", "*"),
            (2, "äöüß", "**üß"),
            (2, "aöü", "***"),
        ] {
            assert_eq!(replaced(count, "*", &[text.as_bytes()]), expected);
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(replaced(count, "*", &bytes), expected, "byte by byte");
        }
        assert_eq!(replaced(2, "•", &[b"abcdef"]), "••••ef");
    }

    #[test]
    fn half_a_character_is_replaced_too() {
        assert_eq!(replaced(2, "*", &[b"\xa4"]), "*");
    }

    #[test]
    fn keys_that_exclude_one_another_are_refused() {
        let config = |replace: Option<&str>, keep_last, fill: Option<&str>| RuleConfig {
            replace: replace.map(String::from),
            keep_last,
            fill: fill.map(String::from),
            ..RuleConfig::default()
        };
        for (config, expected) in [
            (config(Some("x"), Some(4), None), "exclude"),
            (config(Some("x"), None, Some("#")), "needs `keep_last`"),
            (config(None, None, Some("#")), "needs `keep_last`"),
            (config(None, Some(0), None), "at least 1"),
            (config(None, Some(4), Some("##")), "one character"),
            (config(None, Some(4), Some("")), "one character"),
        ] {
            let error = Replacement::new(&config).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
