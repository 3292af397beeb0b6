//! What `#[plugin]` makes of an author's type: the hooks, uniformly callable
//! by the component's exports and by the fake gateway of the tests.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Body, Chunk, ChunkVerdict, Error, Exchange, Instance, Outcome, Result, Verdict, host};

/// A plugin, as `#[plugin]` implements it. Not to be implemented by hand.
#[doc(hidden)]
pub trait Plugin: Sized + 'static {
    /// One or two sentences for people.
    const SUMMARY: &'static str;
    /// The version of the author's crate.
    const VERSION: &'static str;
    /// Capabilities that it can do without.
    const OPTIONAL: &'static [&'static str];
    /// What it keeps of a request's body from one chunk to the next.
    type RequestBody: Default + 'static;
    /// What it keeps of a response's.
    type ResponseBody: Default + 'static;

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

    /// The request's body as it streams by.
    fn request_body(
        &mut self,
        _exchange: &mut Exchange,
        _state: &mut Self::RequestBody,
        _chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        Ok(ChunkVerdict::PassRest)
    }

    /// The response's body as it streams by.
    fn response_body(
        &mut self,
        _exchange: &mut Exchange,
        _state: &mut Self::ResponseBody,
        _chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        Ok(ChunkVerdict::PassRest)
    }

    /// The request with its whole body.
    fn request_buffered(&mut self, _exchange: &mut Exchange, _body: &mut Body) -> Result<Verdict> {
        Ok(Verdict::Next)
    }

    /// The response with its whole body.
    fn response_buffered(&mut self, _exchange: &mut Exchange, _body: &mut Body) -> Result<Verdict> {
        Ok(Verdict::Next)
    }

    /// The completion hook.
    fn completion(&mut self, _exchange: &mut Exchange, _outcome: &Outcome) {}

    /// The start.
    fn start(&mut self) -> Result<()> {
        Ok(())
    }

    /// Work in the background.
    fn tick(&mut self) -> Result<()> {
        Ok(())
    }

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
        match answer.respond() {
            Ok(()) => Self::Respond,
            Err(refusal) => failed(&Error::refused("the answer", refusal)),
        }
    }

    /// [`of`](Self::of) a hook that saw a whole body, which goes on as the hook
    /// has left it.
    pub fn of_body(result: Result<Verdict>, body: &mut Body) -> Self {
        match Self::of(result) {
            Self::Next => match body.hand_on() {
                Ok(()) => Self::Next,
                Err(error) => failed(&error),
            },
            said => said,
        }
    }
}

/// A body hook's result in the words of `chunk-verdicts.chunk-verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkSaid {
    /// The chunk goes on as it is.
    Pass,
    /// So does the rest.
    PassRest,
    /// What was written goes on in its place.
    Replace,
    /// Send what was handed over.
    Respond,
    /// The filter failed, and said why in the log.
    Fail,
}

impl ChunkSaid {
    /// Hands an answer over to the gateway, or a failure to its log.
    pub fn of(result: Result<ChunkVerdict>) -> Self {
        let verdict = match result {
            Ok(ChunkVerdict::Pass) => return Self::Pass,
            Ok(ChunkVerdict::PassRest) => return Self::PassRest,
            Ok(ChunkVerdict::Replace) => return Self::Replace,
            Ok(ChunkVerdict::Respond(answer)) => Ok(Verdict::Respond(answer)),
            Err(error) => Err(error),
        };
        match Said::of(verdict) {
            Said::Respond => Self::Respond,
            Said::Next | Said::Fail => Self::Fail,
        }
    }

    /// True if the hook will be called again for this body.
    pub fn goes_on(self, end: bool) -> bool {
        !end && matches!(self, Self::Pass | Self::Replace)
    }
}

/// Takes note of how work in the background ended.
pub fn ticked(result: Result<()>) {
    if let Err(error) = result {
        failed(&error);
    }
}

fn failed(error: &Error) -> Said {
    host::log::write(host::log::Level::Error, &error.to_string());
    Said::Fail
}
