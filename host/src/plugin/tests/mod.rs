//! What plugins get and what they cannot do, with real compiled plugins.

mod bytes;
mod calls;
mod failures;
#[path = "../../../tests/guests/build.rs"]
mod guests;
pub(crate) mod harness;
mod limits;
mod linking;
mod loading;
mod misbehaviour;
pub(crate) mod pause;
mod waiting;
mod work;
