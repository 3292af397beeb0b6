//! Prometheus' text format, version 0.0.4.

use std::fmt::{self, Write};

/// What a family's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bucket.
    Histogram,
    /// Not agreed upon.
    Untyped,
}

/// A value as it is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// A count.
    Count(u64),
    /// A level.
    Level(i64),
    /// Any number.
    Float(f64),
    /// Nanoseconds, shown in seconds.
    Nanos(u64),
}

/// Text under construction: families one after the other, each with its head,
/// which is left out where no sample follows.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// The head of the family that has no sample yet.
    head: String,
}

/// Labels of a sample.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// Begins a family. `help` is one line.
    pub(super) fn family(&mut self, name: &str, kind: Type, help: &str) {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
            Type::Untyped => "untyped",
        };
        self.head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A sample of the family begun last; its name is the family's, or that
    /// with a histogram's suffix.
    pub(super) fn sample(&mut self, name: &str, labels: Labels<'_>, number: Number) {
        self.text.push_str(&std::mem::take(&mut self.head));
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.escaped(value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        writeln!(self.text, " {number}").expect("invariant: a string takes what is written");
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, name: &str, kind: Type, help: &str, number: Number) {
        self.family(name, kind, help);
        self.sample(name, &[], number);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str(r"\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(formatter),
            Self::Level(level) => level.fmt(formatter),
            Self::Float(f64::INFINITY) => formatter.write_str("+Inf"),
            Self::Float(f64::NEG_INFINITY) => formatter.write_str("-Inf"),
            Self::Float(float) => float.fmt(formatter),
            Self::Nanos(nanos) => {
                let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
                write!(formatter, "{seconds}.{rest:09}")
            }
        }
    }
}
