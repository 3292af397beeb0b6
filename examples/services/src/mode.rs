//! How an instance behaves: the switch that `POST /control?mode=…` turns.
//!
//! Used by `service`. A mode touches ordinary requests; `/health` follows it
//! only where a process in that state could not answer a health check either.

use std::{str::FromStr, time::Duration};

/// How long a slow instance takes for every answer.
pub(crate) const SLOWNESS: Duration = Duration::from_secs(1);

/// How an instance behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it should.
    Ok,
    /// Every answer takes [`SLOWNESS`].
    Slow,
    /// Every answer is 500.
    Fail,
    /// Every second answer is 503.
    Flaky,
    /// No answer ever, not to a health check either.
    Hang,
}

impl Mode {
    /// The word that `/control` takes and shows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Fail => "fail",
            Self::Flaky => "flaky",
            Self::Hang => "hang",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [Self::Ok, Self::Slow, Self::Fail, Self::Flaky, Self::Hang]
            .into_iter()
            .find(|mode| mode.word() == word)
            .ok_or_else(|| format!("no mode `{word}`: use ok, slow, fail, flaky or hang"))
    }
}
