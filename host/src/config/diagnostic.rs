//! Mistakes, and the list of all of them.
//!
//! Owns how a mistake is shown: place, key, message, hint. Made by the readers
//! of this module, and by whoever finds a mistake in the configuration later
//! (a plugin file that is not there, a plugin that refuses its configuration).

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use super::Position;

/// The most mistakes that are kept; more are only counted.
const MOST_KEPT: usize = 1_000;

/// The longest piece of a user's text that a message repeats, in characters.
const MOST_QUOTED: usize = 80;

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where it stands.
    pub at: Position,
    /// The key, such as `routes[0].match.path`; empty for the whole file.
    pub key: String,
    /// What is wrong: one line, lower case, no full stop.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A mistake without a hint.
    pub fn new(at: Position, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            at,
            key: key.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All mistakes found in one file.
///
/// `Display` shows them in the order of the file, each as
/// `FILE:LINE:COLUMN: KEY: MESSAGE` and, indented below it, `hint: HINT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    file: PathBuf,
    kept: Vec<Diagnostic>,
    left_out: usize,
}

impl Diagnostics {
    /// No mistakes in this file yet.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            kept: Vec::new(),
            left_out: 0,
        }
    }

    /// The file that the mistakes are in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Notes a mistake. Beyond a thousand they are only counted.
    pub fn push(&mut self, mistake: Diagnostic) {
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.kept.push(mistake);
        }
    }

    /// True if more mistakes are only counted: their wording can be spared.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= MOST_KEPT
    }

    /// True if there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many mistakes there are.
    pub fn len(&self) -> usize {
        self.kept.len() + self.left_out
    }

    /// The mistakes, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.kept.iter().collect();
        sorted.sort_by_key(|mistake| mistake.at);
        sorted.into_iter()
    }

    /// The value if there is no mistake, else the mistakes.
    ///
    /// # Errors
    ///
    /// `self`, if it is not empty.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}: ", self.file.display(), mistake.at)?;
            if !mistake.key.is_empty() {
                write!(f, "{}: ", mistake.key)?;
            }
            write!(f, "{}", mistake.message)?;
            if let Some(hint) = &mistake.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl Error for Diagnostics {}

/// A user's text as a message may repeat it: in quotes, on one line, cut.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// The same without quotes.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_QUOTED).flat_map(escape).collect();
    if text.chars().nth(MOST_QUOTED).is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters would let a file write to the terminal of its reader.
fn escape(character: char) -> impl Iterator<Item = char> {
    let control = character.is_control();
    let escaped = control.then(|| character.escape_default());
    escaped
        .into_iter()
        .flatten()
        .chain((!control).then_some(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_key_message_and_hint_in_the_order_of_the_file() {
        let mut mistakes = Diagnostics::new("a.yaml");
        mistakes.push(Diagnostic::new(Position::new(9, 2), "b", "wrong"));
        mistakes.push(Diagnostic::new(Position::new(3, 1), "a", "bad").hint("good"));
        mistakes.push(Diagnostic::new(Position::START, "", "all of it"));
        assert_eq!(
            mistakes.to_string(),
            "a.yaml:1:1: all of it\na.yaml:3:1: a: bad\n  hint: good\na.yaml:9:2: b: wrong"
        );
    }

    #[test]
    fn beyond_a_thousand_mistakes_are_counted_only() {
        let mut mistakes = Diagnostics::new("a.yaml");
        for line in 1..=1_234 {
            mistakes.push(Diagnostic::new(Position::new(line, 1), "", "bad"));
        }
        assert_eq!(mistakes.len(), 1_234);
        assert!(mistakes.to_string().ends_with("\nand 234 more"));
    }

    #[test]
    fn repeated_text_is_cut_and_cannot_write_to_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), r"`a\u{1b}[31m\nb`");
        assert_eq!(quoted(&"x".repeat(99)), format!("`{}…`", "x".repeat(80)));
    }
}
