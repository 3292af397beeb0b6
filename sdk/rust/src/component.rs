//! What `#[plugin]` writes around an author's type to make it a component.
//! Part of WebAssembly builds only.

use std::cell::RefCell;

use crate::{Exchange, Instance, Outcome, Plugin, Result, Said, bindings};

/// Where a component keeps its one instance of the author's type.
///
/// A component runs on one thread and no hook calls another, so a `RefCell`
/// is all the care that is needed.
#[derive(Debug, Default)]
pub struct Slot<P>(RefCell<Option<P>>);

impl<P: Plugin> Slot<P> {
    /// An empty one.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
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
        *self.0.borrow_mut() = Some(plugin);
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
        let mut plugin = self.0.borrow_mut();
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
    bindings::response::exports::portcullis::gateway::response::Verdict
);
