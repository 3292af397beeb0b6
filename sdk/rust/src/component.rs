//! What `#[plugin]` writes around an author's type to make it a component.
//! Part of WebAssembly builds only.

use std::cell::RefCell;

use crate::{
    Body, Chunk, ChunkSaid, Exchange, Instance, Outcome, Plugin, Result, Said, bindings,
    body::Bodies, plugin,
};

/// Where a component keeps its one instance of the author's type, and what that
/// keeps of the bodies in flight.
///
/// A component runs on one thread and no hook is called while another runs or
/// waits, so a `RefCell` is all the care that is needed.
#[derive(Debug)]
pub struct Slot<P: Plugin> {
    plugin: RefCell<Option<P>>,
    requests: RefCell<Bodies<P::RequestBody>>,
    responses: RefCell<Bodies<P::ResponseBody>>,
}

impl<P: Plugin> Default for Slot<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Plugin> Slot<P> {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            plugin: RefCell::new(None),
            requests: RefCell::new(Bodies::new()),
            responses: RefCell::new(Bodies::new()),
        }
    }

    /// The exported `describe`.
    pub fn describe() -> bindings::metadata::exports::portcullis::gateway::metadata::Description {
        bindings::metadata::exports::portcullis::gateway::metadata::Description {
            summary: P::SUMMARY.to_owned(),
            version: P::VERSION.to_owned(),
            config_schema: Some(P::schema()),
        }
    }

    /// The exported `configure`.
    ///
    /// # Errors
    /// The author's own text.
    pub fn configure(&self, text: &str) -> Result<(), String> {
        let plugin = P::from_configuration(text).map_err(|error| error.to_string())?;
        *self.plugin.borrow_mut() = Some(plugin);
        Ok(())
    }

    /// The exported `on-request`.
    pub fn request<V: FromSaid>(&self) -> V {
        V::from_said(Said::of(
            self.with(|plugin, exchange| plugin.request(exchange)),
        ))
    }

    /// The exported `on-response`.
    pub fn response<V: FromSaid>(&self) -> V {
        V::from_said(Said::of(
            self.with(|plugin, exchange| plugin.response(exchange)),
        ))
    }

    /// The exported `on-request-body`.
    pub fn request_body<V: FromChunkSaid>(&self, stream: u64, length: u32, end: bool) -> V {
        let mut state = self.requests.borrow_mut().take(stream);
        let mut chunk = Chunk::current(length, end);
        let said = ChunkSaid::of(
            self.with(|plugin, exchange| plugin.request_body(exchange, &mut state, &mut chunk)),
        );
        if said.goes_on(end) {
            self.requests.borrow_mut().put(stream, state);
        }
        V::from_said(said)
    }

    /// The exported `on-request-body-dropped`.
    pub fn request_body_dropped(&self, stream: u64) {
        self.requests.borrow_mut().dropped(stream);
    }

    /// The exported `on-response-body`.
    pub fn response_body<V: FromChunkSaid>(&self, stream: u64, length: u32, end: bool) -> V {
        let mut state = self.responses.borrow_mut().take(stream);
        let mut chunk = Chunk::current(length, end);
        let said = ChunkSaid::of(
            self.with(|plugin, exchange| plugin.response_body(exchange, &mut state, &mut chunk)),
        );
        if said.goes_on(end) {
            self.responses.borrow_mut().put(stream, state);
        }
        V::from_said(said)
    }

    /// The exported `on-response-body-dropped`.
    pub fn response_body_dropped(&self, stream: u64) {
        self.responses.borrow_mut().dropped(stream);
    }

    /// The exported `on-request-buffered`.
    pub fn request_buffered<V: FromSaid>(&self, length: u32) -> V {
        let mut body = Body::current(length);
        let said = self.with(|plugin, exchange| plugin.request_buffered(exchange, &mut body));
        V::from_said(Said::of_body(said, &mut body))
    }

    /// The exported `on-response-buffered`.
    pub fn response_buffered<V: FromSaid>(&self, length: u32) -> V {
        let mut body = Body::current(length);
        let said = self.with(|plugin, exchange| plugin.response_buffered(exchange, &mut body));
        V::from_said(Said::of_body(said, &mut body))
    }

    /// The exported `optional`.
    pub fn optional() -> Vec<String> {
        P::OPTIONAL.iter().map(|&name| name.to_owned()).collect()
    }

    /// The exported `on-start`.
    ///
    /// # Errors
    /// The author's own text.
    pub fn start(&self) -> Result<(), String> {
        self.with(|plugin, _| plugin.start())
            .map_err(|error| error.to_string())
    }

    /// The exported `on-tick`.
    pub fn tick(&self) {
        plugin::ticked(self.with(|plugin, _| plugin.tick()));
    }

    /// The exported `on-completion`.
    pub fn completion(&self, outcome: &Outcome) {
        self.with(|plugin, exchange| plugin.completion(exchange, outcome));
    }

    /// The exported `instances-changed`.
    pub fn instances_changed(&self, instances: Vec<Instance>) {
        self.with(|plugin, _| plugin.instances(instances));
    }

    /// The exported `pick`.
    pub fn pick(&self, attempt: u32) -> Option<u32> {
        self.with(|plugin, exchange| plugin.choice(exchange, attempt))
    }

    fn with<T>(&self, hook: impl FnOnce(&mut P, &mut Exchange) -> T) -> T {
        let mut plugin = self.plugin.borrow_mut();
        hook(
            plugin.get_or_insert_with(unconfigured),
            &mut Exchange::current(),
        )
    }
}

/// The gateway calls `configure` first where it is exported, so this is the
/// `Default` of plugins that have none.
#[cold]
fn unconfigured<P: Plugin>() -> P {
    match P::from_configuration("{}") {
        Ok(plugin) => plugin,
        Err(error) => panic!("a hook was called before `configure`: {error}"),
    }
}

/// The verdict's type of each hook's world.
pub trait FromSaid {
    /// Translates.
    fn from_said(said: Said) -> Self;
}

macro_rules! from_said {
    ($($verdict:path),*) => {$(
        impl FromSaid for $verdict {
            fn from_said(said: Said) -> Self {
                match said {
                    Said::Next => Self::Next,
                    Said::Respond => Self::Respond,
                    Said::Fail => Self::Fail,
                }
            }
        }
    )*};
}

from_said!(
    bindings::request::exports::portcullis::gateway::request::Verdict,
    bindings::response::exports::portcullis::gateway::response::Verdict,
    bindings::request_buffered::exports::portcullis::gateway::request_buffered::Verdict,
    bindings::response_buffered::exports::portcullis::gateway::response_buffered::Verdict
);

/// The chunk verdict's type of each body hook's world.
pub trait FromChunkSaid {
    /// Translates.
    fn from_said(said: ChunkSaid) -> Self;
}

macro_rules! from_chunk_said {
    ($($verdict:path),*) => {$(
        impl FromChunkSaid for $verdict {
            fn from_said(said: ChunkSaid) -> Self {
                match said {
                    ChunkSaid::Pass => Self::Pass,
                    ChunkSaid::PassRest => Self::PassRest,
                    ChunkSaid::Replace => Self::Replace,
                    ChunkSaid::Respond => Self::Respond,
                    ChunkSaid::Fail => Self::Fail,
                }
            }
        }
    )*};
}

from_chunk_said!(
    bindings::request_body::exports::portcullis::gateway::request_body::ChunkVerdict,
    bindings::response_body::exports::portcullis::gateway::response_body::ChunkVerdict
);
