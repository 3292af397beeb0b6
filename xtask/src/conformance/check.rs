//! One line of the table.

use std::process::Command;

use anyhow::{Context, Error, Result};

use super::{install::Tools, stage::Stage};

/// Something that a program of others does to the gateway.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) run: fn(&Stage, &Tools) -> Result<Outcome>,
}

/// How it came out.
pub(super) enum Outcome {
    AsExpected,
    /// With what came.
    Otherwise(String),
    /// With why.
    NotRun(String),
}

impl Outcome {
    /// As expected, or not.
    pub(super) fn of(good: bool, came: impl Into<String>) -> Self {
        match good {
            true => Self::AsExpected,
            false => Self::Otherwise(came.into()),
        }
    }

    pub(super) fn index(&self) -> usize {
        match self {
            Self::AsExpected => 0,
            Self::Otherwise(_) => 1,
            Self::NotRun(_) => 2,
        }
    }
}

/// A check that could not say anything has not come out as expected.
impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self::Otherwise(format!("{error:#}"))
    }
}

/// What a program says on both of its outputs, within so many seconds.
pub(super) fn said(seconds: u32, program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", &seconds.to_string(), program]);
    let output = command
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push('\n');
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
