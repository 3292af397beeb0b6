//! A gateway for plain `cargo test`: no WebAssembly, no sockets, a clock that
//! stands still until it is told to move.
//!
//! Everything belongs to the test's own thread, so tests run side by side
//! without seeing each other. [`Gateway::new`] starts afresh. What the WIT
//! package says holds here too: changes are refused for the same reasons,
//! counters count the same, signatures are really verified, and what would
//! trap in a component panics.
//!
//! ```
//! use portcullis_sdk::{counters, prelude::*, testing::*};
//! use std::time::Duration;
//!
//! #[derive(Default)]
//! struct OncePerSecond;
//!
//! #[plugin(summary = "Lets one request pass per second")]
//! impl OncePerSecond {
//!     fn on_request(&mut self, _exchange: &mut Exchange) -> Result<Verdict> {
//!         let window = counters::Window { limit: 1, window_ms: 1_000 };
//!         if counters::fixed_window("all", window, 1).allowed {
//!             return Ok(Verdict::Next);
//!         }
//!         Err(Answer::problem(429, "Too Many Requests", "one per second").into())
//!     }
//! }
//! # fn main() {
//! let gateway = Gateway::new();
//! let mut filter = OncePerSecond;
//! let mut ask = || gateway.exchange(Request::get("/")).run_request(&mut filter);
//! assert_eq!(ask(), Reply::Next);
//! assert_eq!(ask().answer().map(Answer::status), Some(429));
//! gateway.advance(Duration::from_secs(1));
//! assert_eq!(ask(), Reply::Next);
//! # }
//! ```

mod body;
mod exchange;
mod gateway;
pub(crate) mod host;
mod http;
mod request;

pub use crate::{Answer, Failure, Instance, Outcome, Refusal};
pub use body::BodyReply;
pub use exchange::{Reply, TestExchange};
pub use gateway::{Gateway, instance};
pub use http::{HttpRequest, HttpResponse};
pub use request::Request;
pub use serde_json::json;
