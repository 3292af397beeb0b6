//! Where in a file something stands.
//!
//! Owns the counting of lines and columns; the file's name is kept once, in
//! [`Config`](super::Config) and [`Diagnostics`](super::Diagnostics).

use std::fmt;

/// A place in the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The file's first character: where mistakes of the whole file are placed.
    pub const START: Self = Self { line: 1, column: 1 };

    /// A place by line and column, both from 1.
    pub fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Turns byte offsets of a text into positions.
///
/// Characters are counted once, block by block: a file may be one long line.
pub(super) struct LineIndex<'t> {
    text: &'t [u8],
    /// Where each line starts.
    starts: Vec<usize>,
    /// How many characters begin before each block.
    characters: Vec<usize>,
}

/// Bytes in a block.
const BLOCK: usize = 1_024;

impl<'t> LineIndex<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            let before = characters.last().copied().unwrap_or_default();
            characters.push(before + count_characters(block));
        }
        Self {
            text: text.as_bytes(),
            starts,
            characters,
        }
    }

    /// The position of a byte; the end of the text if the offset is beyond it.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        Position::new(
            line,
            self.characters_before(offset) - self.characters_before(start) + 1,
        )
    }

    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        self.characters[block] + count_characters(&self.text[block * BLOCK..offset])
    }
}

/// The characters that begin in some UTF-8.
fn count_characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns_in_characters() {
        let index = LineIndex::new("ab\ncäd\n\nx");
        let cases = [
            (0, 1, 1),
            (2, 1, 3),
            (3, 2, 1),
            (6, 2, 3),
            (9, 4, 1),
            (99, 4, 2),
        ];
        for (offset, line, column) in cases {
            assert_eq!(
                index.position(offset),
                Position::new(line, column),
                "{offset}"
            );
        }
        let long = format!("\n{}x", "ä".repeat(5_000));
        assert_eq!(
            LineIndex::new(&long).position(10_001),
            Position::new(2, 5_001)
        );
        assert_eq!(LineIndex::new("").position(1), Position::START);
        let whole = "x".repeat(BLOCK);
        assert_eq!(
            LineIndex::new(&whole).position(BLOCK),
            Position::new(1, BLOCK + 1)
        );
    }
}
