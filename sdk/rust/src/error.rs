//! Why a hook or a configuration failed, and what becomes of it.

use std::fmt;

use crate::{Answer, Refusal};

/// What hooks and `configure` return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a hook or a configuration failed.
///
/// Either an [`Answer`] that the client shall get, or a failure of the filter
/// itself: its text is logged and the step's `on_error` decides (`fail`, the
/// default, answers 503; `skip` goes on as if the filter were not there). In
/// `configure` the text refuses the configuration.
///
/// `?` makes one of any [`std::error::Error`] and of an [`Answer`]. To make
/// that possible, this type is not a [`std::error::Error`] itself.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// fn user(exchange: &Exchange) -> Result<u32> {
///     let Some(text) = exchange.request_header_text("x-user") else {
///         return Err(Answer::problem(401, "Unauthorized", "who are you?").into());
///     };
///     Ok(text.parse()?) // not a number: the filter fails
/// }
/// ```
pub struct Error(Box<Kind>);

enum Kind {
    Answer(Answer),
    Refusal(&'static str, Refusal),
    Failure(String),
}

impl Error {
    /// A failure of the filter itself, in one line for the log.
    pub fn failure(text: impl Into<String>) -> Self {
        Self(Box::new(Kind::Failure(text.into())))
    }

    /// A change that the gateway refused, and which one.
    pub(crate) fn refused(change: &'static str, refusal: Refusal) -> Self {
        Self(Box::new(Kind::Refusal(change, refusal)))
    }

    /// Why the gateway refused a change, if that is what happened.
    pub fn refusal(&self) -> Option<Refusal> {
        match *self.0 {
            Kind::Refusal(_, refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The answer for the client, if this is one.
    pub fn answer(&self) -> Option<&Answer> {
        match &*self.0 {
            Kind::Answer(answer) => Some(answer),
            _ => None,
        }
    }

    /// The answer, or the error itself if it is none.
    pub(crate) fn into_answer(self) -> Result<Answer> {
        match *self.0 {
            Kind::Answer(answer) => Ok(answer),
            kind => Err(Self(Box::new(kind))),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Answer(answer) => write!(f, "answered with status {}", answer.status()),
            Kind::Refusal(change, refusal) => {
                write!(f, "{change} was refused: {}", reason(*refusal))
            }
            Kind::Failure(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl From<Answer> for Error {
    fn from(answer: Answer) -> Self {
        Self(Box::new(Kind::Answer(answer)))
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::failure(text)
    }
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid => "not valid",
        Refusal::Forbidden => "the gateway owns this field",
        Refusal::TooLarge => "over a limit of the gateway",
        Refusal::UnknownService => "no such service",
        Refusal::WrongPhase => "too late or too early for it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_and_any_answer_becomes_one() {
        let parse = || -> Result<u32> { Ok("x".parse::<u32>()?) };
        assert_eq!(
            parse().unwrap_err().to_string(),
            "invalid digit found in string"
        );
        let answer: Error = Answer::new(401).into();
        assert_eq!(answer.answer().map(Answer::status), Some(401));
    }

    #[test]
    fn a_refusal_names_what_was_refused() {
        let error = Error::refused("set-service", Refusal::UnknownService);
        assert_eq!(
            error.to_string(),
            "set-service was refused: no such service"
        );
        assert_eq!(error.refusal(), Some(Refusal::UnknownService));
    }
}
