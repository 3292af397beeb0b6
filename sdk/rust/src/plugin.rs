//! What `#[plugin]` makes of an author's type: the hooks, uniformly callable
//! by the component's exports and by the fake gateway of the tests.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Error, Exchange, Instance, Outcome, Result, Verdict, host};

/// A plugin, as `#[plugin]` implements it. Not to be implemented by hand.
#[doc(hidden)]
pub trait Plugin: Sized + 'static {
    /// One or two sentences for people.
    const SUMMARY: &'static str;
    /// The version of the author's crate.
    const VERSION: &'static str;

    /// JSON Schema of the configuration, as JSON text.
    fn schema() -> String {
        no_configuration()
    }

    /// An instance for this configuration (JSON text).
    fn from_configuration(text: &str) -> Result<Self>;

    /// The request hook.
    fn request(&mut self, _exchange: &mut Exchange) -> Result<Verdict> {
        Ok(Verdict::Next)
    }

    /// The response hook.
    fn response(&mut self, _exchange: &mut Exchange) -> Result<Verdict> {
        Ok(Verdict::Next)
    }

    /// The completion hook.
    fn completion(&mut self, _exchange: &mut Exchange, _outcome: &Outcome) {}

    /// The balancer's list of instances.
    fn instances(&mut self, _instances: Vec<Instance>) {}

    /// The balancer's choice.
    fn choice(&mut self, _exchange: &mut Exchange, _attempt: u32) -> Option<u32> {
        None
    }
}

/// The schema of a configuration's type, as JSON text.
pub fn schema<C: JsonSchema>() -> String {
    schemars::schema_for!(C).as_value().to_string()
}

/// The schema of a plugin that takes no configuration: only `{}` fits.
fn no_configuration() -> String {
    r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","maxProperties":0}"#
        .to_owned()
}

/// Reads a configuration from its JSON text.
///
/// # Errors
/// If the text is no JSON or does not fit the type.
pub fn configuration<C: DeserializeOwned>(text: &str) -> Result<C> {
    serde_json::from_str(text).map_err(Error::from)
}

/// A hook's result in the words of `verdicts.verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Go on.
    Next,
    /// Send what was handed over.
    Respond,
    /// The filter failed, and said why in the log.
    Fail,
}

impl Said {
    /// Hands an answer over to the gateway, or a failure to its log.
    pub fn of(result: Result<Verdict>) -> Self {
        let answer = match result {
            Ok(Verdict::Next) => return Self::Next,
            Ok(Verdict::Respond(answer)) => answer,
            Err(error) => match error.into_answer() {
                Ok(answer) => answer,
                Err(failure) => return failed(&failure),
            },
        };
        let headers: Vec<(&str, &[u8])> = answer.headers().collect();
        match host::exchange::respond(answer.status(), &headers, answer.body_bytes()) {
            Ok(()) => Self::Respond,
            Err(refusal) => failed(&Error::refused("the answer", refusal)),
        }
    }
}

fn failed(error: &Error) -> Said {
    host::log::write(host::log::Level::Error, &error.to_string());
    Said::Fail
}
