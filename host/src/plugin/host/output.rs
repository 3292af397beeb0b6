//! Lines that plugins write, through `log` or to standard output and error:
//! bounded in length and in number, then the gateway's own log.

use std::{borrow::Cow, mem, time::SystemTime};

use super::super::{
    data::{Data, Hook},
    log_budget::Line,
    wit::Level,
};

/// The longest line, in bytes; what is beyond is cut.
const LONGEST_LINE: usize = 4 << 10;

/// What is kept of standard error for the message of a trap, in bytes.
const LONGEST_SAYING: usize = 512;

/// The target of the lines in the log.
const TARGET: &str = "portcullis::plugin";

/// Expands to one `tracing` macro per level, since its levels are constants.
macro_rules! at_level {
    ($level:expr, $macro:ident, $($arguments:tt)*) => {
        match $level {
            Level::Trace => tracing::$macro!(target: TARGET, tracing::Level::TRACE, $($arguments)*),
            Level::Debug => tracing::$macro!(target: TARGET, tracing::Level::DEBUG, $($arguments)*),
            Level::Info => tracing::$macro!(target: TARGET, tracing::Level::INFO, $($arguments)*),
            Level::Warn => tracing::$macro!(target: TARGET, tracing::Level::WARN, $($arguments)*),
            Level::Error => tracing::$macro!(target: TARGET, tracing::Level::ERROR, $($arguments)*),
        }
    };
}

/// True if lines of a level go anywhere.
pub(super) fn enabled(level: Level) -> bool {
    at_level!(level, enabled,)
}

/// Writes a line, if the plugin has not written too many this second.
pub(super) fn write(data: &Data, level: Level, line: &str) {
    let second = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |time| time.as_secs());
    let plugin = &*data.identity.name;
    match data.allowance.line(second) {
        Line::Lose => return,
        Line::WriteAfter(lost) => {
            tracing::warn!(target: TARGET, plugin, lost, "the plugin wrote too many lines, some are lost");
        }
        Line::Write => {}
    }
    let line = printable(&line[..line.floor_char_boundary(LONGEST_LINE)]);
    match data.hook {
        Hook::None => at_level!(level, event, plugin, "{line}"),
        _ => {
            let route = data.names.route(data.exchange.route).unwrap_or_default();
            let request_id = data.exchange.request_id.as_str();
            at_level!(level, event, plugin, route, request_id, "{line}");
        }
    }
}

/// A line is one line, whatever a plugin puts into it.
fn printable(line: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control() && c != '\t';
    if !line.contains(control) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 8);
    for piece in line.split_inclusive(control) {
        let text = piece.trim_end_matches(control);
        escaped.push_str(text);
        escaped.extend(piece[text.len()..].chars().flat_map(char::escape_default));
    }
    Cow::Owned(escaped)
}

/// Where a plugin writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Standard output and error of one instance, up to their next line feed.
#[derive(Debug, Default)]
pub(in super::super) struct Output {
    output: Vec<u8>,
    error: Vec<u8>,
    /// What was said on standard error in the call that runs: the message of
    /// a panic, if there is one.
    saying: String,
}

impl Data {
    /// Takes bytes that the plugin wrote, and logs the lines that are whole.
    pub(super) fn output(&mut self, stream: Stream, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let buffer = self.output.buffer(stream);
            let room = LONGEST_LINE.saturating_sub(buffer.len());
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            buffer.extend_from_slice(&text[..text.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line(stream);
            }
        }
    }

    /// Logs what is not a whole line yet. Returns what was said on standard
    /// error since the call began.
    pub(in super::super) fn finish_output(&mut self) -> Option<String> {
        self.end_line(Stream::Output);
        self.end_line(Stream::Error);
        let saying = mem::take(&mut self.output.saying);
        (!saying.is_empty()).then_some(saying)
    }

    fn end_line(&mut self, stream: Stream) {
        let line = mem::take(self.output.buffer(stream));
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        // A line that Rust adds to every panic, of no use behind a sandbox.
        if text.is_empty() || text.starts_with("note: run with `RUST_BACKTRACE=1`") {
            return;
        }
        let level = match stream {
            Stream::Output => Level::Info,
            Stream::Error => {
                self.output.say(&printable(text));
                Level::Warn
            }
        };
        if enabled(level) {
            write(self, level, text);
        }
    }
}

impl Output {
    /// A call begins: what was said before it is of no interest.
    #[inline]
    pub(in super::super) fn begin(&mut self) {
        self.saying.clear();
    }

    fn buffer(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        }
    }

    fn say(&mut self, line: &str) {
        if !self.saying.is_empty() {
            self.saying.push(' ');
        }
        self.saying.push_str(line);
        let end = self.saying.floor_char_boundary(LONGEST_SAYING);
        self.saying.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_log() {
        assert_eq!(printable("a\tb \u{e9}"), "a\tb \u{e9}");
        assert_eq!(printable("a\nb\x1b[31m\0"), "a\\nb\\u{1b}[31m\\u{0}");
    }
}
