//! What plugins get and what they cannot do, with real compiled plugins.

mod bytes;
mod calls;
mod failures;
pub(in crate::plugin) mod harness;
mod limits;
mod linking;
mod loading;
mod misbehaviour;
mod work;
