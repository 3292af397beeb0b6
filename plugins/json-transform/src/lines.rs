//! A body with a JSON text on each line, as it streams by.
//!
//! Owns where lines begin and end: at a line feed, a carriage return before it
//! being white space to JSON. Holds back no more than one line. Called by the
//! glue, one for each body.

use std::fmt;
use std::rc::Rc;

use crate::config::OnInvalid;
use crate::transform::{Invalid, Transform};

/// One body.
#[derive(Debug)]
pub struct Lines {
    transform: Rc<Transform>,
    on_invalid: OnInvalid,
    max_line: usize,
    /// The beginning of a line.
    held: Vec<u8>,
    /// Lines that have ended.
    count: u64,
}

/// Why a body cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineError {
    /// A line is longer than `max_line`.
    TooLong {
        /// Its number, from 1.
        line: u64,
    },
    /// A line is not JSON.
    Invalid {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        error: Invalid,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { line } => write!(f, "line {line} is longer than `max_line`"),
            Self::Invalid { line, error } => write!(f, "line {line} is {error}"),
        }
    }
}

impl std::error::Error for LineError {}

impl Lines {
    /// A body that begins. `max_line` is in bytes, line ends not counted.
    pub fn new(transform: Rc<Transform>, on_invalid: OnInvalid, max_line: usize) -> Self {
        Self {
            transform,
            on_invalid,
            max_line,
            held: Vec::new(),
            count: 0,
        }
    }

    /// Takes a chunk, and appends to `out` the lines that have ended.
    ///
    /// # Errors
    /// At the first line that is too long, or not JSON if that fails. The
    /// lines before it are in `out`; the body is over.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), LineError> {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if self.held.is_empty() {
                self.line(line, out)?;
            } else {
                self.hold(line)?;
                let line = std::mem::take(&mut self.held);
                self.line(&line, out)?;
                self.held = line;
                self.held.clear();
            }
            out.push(b'\n');
            rest = &after[1..];
        }
        self.hold(rest)
    }

    /// Ends the body: appends to `out` a last line that has no end.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), LineError> {
        let line = std::mem::take(&mut self.held);
        self.line(&line, out)
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), LineError> {
        if part.len() > self.max_line - self.held.len() {
            return Err(LineError::TooLong {
                line: self.count + 1,
            });
        }
        self.held.extend_from_slice(part);
        Ok(())
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), LineError> {
        self.count += 1;
        if line.len() > self.max_line {
            return Err(LineError::TooLong { line: self.count });
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            out.extend_from_slice(line);
            return Ok(());
        }
        match self.transform.document(line) {
            Ok(changed) => {
                out.extend_from_slice(&changed);
                out.extend(line.strip_suffix(b"\r").map(|_| b'\r'));
            }
            Err(_) if self.on_invalid == OnInvalid::Pass => out.extend_from_slice(line),
            Err(error) => {
                let line = self.count;
                return Err(LineError::Invalid { line, error });
            }
        }
        Ok(())
    }
}
