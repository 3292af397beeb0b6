//! Requests of the plugin's own: to a service of the gateway, through its
//! balancer and its connections, or to a URL.
//!
//! A step has to allow it, with the services and hosts that may be asked:
//! `allow: { http: [users, "https://id.example.com"] }`. A hook that asks is an
//! `async fn`; while it waits the worker serves other requests. Several
//! requests at once are several futures:
//!
//! ```
//! use std::time::Duration;
//!
//! use portcullis_sdk::{http, prelude::*};
//!
//! #[derive(Default)]
//! struct Overview;
//!
//! #[plugin(summary = "Answers with a user and their orders")]
//! impl Overview {
//!     async fn on_request(&mut self, _exchange: &mut Exchange) -> Result<Verdict> {
//!         let user = http::Request::get("/users/7").service("users").send();
//!         let orders = http::Request::get("/orders?user=7")
//!             .service("orders")
//!             .timeout(Duration::from_secs(1))
//!             .send();
//!         let user = user.await?.text().await?;
//!         let orders = orders.await?;
//!         Ok(Answer::new(200)
//!             .header("content-type", "application/json")
//!             .part(format!("{{\"user\":{user},\"orders\":"))
//!             .part(orders) // straight to the client, as it comes
//!             .part("}")
//!             .into())
//!     }
//! }
//! # fn main() {
//! use portcullis_sdk::testing::*;
//!
//! let gateway = Gateway::new();
//! gateway.on_http(|request| match request.service() {
//!     Some("users") => HttpResponse::new(200).body(r#"{"id":7}"#),
//!     _ => HttpResponse::new(200).body("[1,2]"),
//! });
//! let reply = gateway.exchange(Request::get("/")).run_request(&mut Overview);
//! let answer = reply.answer().expect("the filter answers");
//! assert_eq!(answer.body_text(), r#"{"user":{"id":7},"orders":[1,2]}"#);
//! # }
//! ```
//!
//! Waiting is possible in `on_request`, `on_response`, the buffered body hooks,
//! `on_tick` and `on_start`; how long one hook may wait in all is bounded by the
//! plugin's limit `wait_timeout`. What is asked and then dropped is broken off.

mod call;
mod error;
mod part;
mod request;
mod response;

pub use error::Error;
pub use request::{Request, Sending, Upload};
pub use response::Response;

use crate::host::http as host;
