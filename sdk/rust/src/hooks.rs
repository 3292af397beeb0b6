//! Which of its hooks a plugin has no use for with its configuration.

use crate::{
    body::Side,
    host::{body, hooks as host},
};

pub use crate::bindings::imports::portcullis::gateway::hooks::Hook;

/// Says, within `configure`, that a hook would do nothing with this
/// configuration. The gateway then never calls it, and it costs nothing.
///
/// ```
/// use portcullis_sdk::{hooks::{self, Hook}, prelude::*};
///
/// #[config]
/// struct Config {
///     /// A header for every response; none if it is left out.
///     header: Option<String>,
/// }
///
/// struct Mark(Option<String>);
///
/// #[plugin(summary = "Marks responses", config = Config)]
/// impl Mark {
///     fn configure(config: Config) -> Result<Self> {
///         if config.header.is_none() {
///             hooks::skip(Hook::Response);
///         }
///         Ok(Self(config.header))
///     }
///
///     fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
///         if let Some(name) = &self.0 {
///             exchange.set_response_header(name, "yes")?;
///         }
///         Ok(Verdict::Next)
///     }
/// }
/// # fn main() {
/// use portcullis_sdk::testing::*;
///
/// let gateway = Gateway::new();
/// let _: Mark = gateway.configure(json!({})).unwrap();
/// assert_eq!(gateway.skipped(), [Hook::Response]);
/// # }
/// ```
///
/// In a component it traps outside `configure`.
pub fn skip(hook: Hook) {
    host::skip(hook);
}

/// Says, within `configure`, that this configuration has no use for bodies of
/// this side: they pass the filter by without a copy.
pub fn skip_body(side: Side) {
    // The one refusal there is would be for another hook than `configure`.
    let _ = body::skip(side);
}
