//! The log's set-up: lines on standard error, of everything that goes through
//! `tracing`.
//!
//! A line is written at once, with one system call, by the thread that logs.
//! So none is lost when the process ends, and none is delayed; but if whoever
//! reads the pipe stops reading, threads that log wait for it. That is right
//! for a gateway whose request path logs nothing at the default level: lines
//! come from start-up, reloads and failures.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, util::SubscriberInitExt};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; in colour on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is none.
    #[error("`{filter}` is no log filter, such as `info` or `info,portcullis=debug`")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The process has a log already.
    #[error("the log is set up already")]
    Already(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up the process's log. `filter` is a level or `tracing` directives.
///
/// # Errors
/// The filter cannot be read, or the log is set up already.
pub fn init(format: Format, filter: &str) -> Result<(), LogError> {
    let colour = io::stderr().is_terminal();
    Ok(subscriber(format, filter, io::stderr, colour)?.try_init()?)
}

fn subscriber<W>(
    format: Format,
    filter: &str,
    writer: W,
    colour: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).map_err(|source| LogError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(writer);
    Ok(match format {
        Format::Text => Box::new(builder.with_ansi(colour).finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, filter, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(plugin = "a\"b", "hello");
            tracing::debug!("unheard");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_lines_carry_level_message_and_fields() {
        let line = logged(Format::Text, "info");
        assert_eq!(line.lines().count(), 1);
        for part in [" INFO ", "hello", r#"plugin="a\"b""#] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn json_lines_are_objects() {
        let line = logged(Format::Json, "info");
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["level"], "INFO");
        assert_eq!(object["message"], "hello");
        assert_eq!(object["plugin"], "a\"b");
    }

    #[test]
    fn what_is_filtered_is_not_written() {
        assert_eq!(logged(Format::Text, "warn"), "");
        assert_eq!(logged(Format::Text, "debug").lines().count(), 2);
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let result = subscriber(Format::Text, "portcullis=loudly", io::stderr, false);
        let error = result.err().expect("it is refused");
        assert!(error.to_string().contains("`portcullis=loudly`"), "{error}");
    }
}
