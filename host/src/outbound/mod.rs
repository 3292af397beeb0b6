//! Requests that plugins make: checked against what their step allows, sent on
//! the connections of the thread that the plugin runs on, and answered part by
//! part.
//!
//! `policy` says whom a plugin may reach, and is all there is to read for that.
//! A [`Dispatcher`] belongs to one thread and runs each call in a local task of
//! its own (`exchange`): the pool of connections belongs to the thread as well,
//! while a plugin, which may wait on a stack that has to be `Send`, holds a
//! [`Call`], which talks to that task and ends it when it is dropped.
//!
//! Never on by itself: a call is bounded in time, and calls in number, by the
//! limits of the plugin that makes them. Names are resolved off the thread
//! (`resolver`). Cookies are not kept and answers not cached.
//!
//! Called by `plugin` for its host functions; `worker` has a dispatcher, and so
//! has whoever else lets plugins do their work (`errand`).

mod call;
mod dispatcher;
mod errand;
mod error;
mod exchange;
mod policy;
mod redirect;
mod request;
mod resolver;
#[cfg(test)]
mod tests;

pub use call::{Call, Head, Rest};
pub use dispatcher::{Caller, Dispatcher, Ground, Lent, Plugin, Roots, start, start_in_parts};
pub use errand::{Errands, Neighbours};
pub use error::Error;
pub use policy::Policy;
pub use request::Request;
