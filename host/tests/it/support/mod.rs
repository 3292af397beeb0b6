//! What the tests start and ask.

mod client;
mod gateway;
mod poll;
mod scripted;
mod settings;
mod upstream;
mod wire;

pub(crate) use client::{Client, Reply, get};
pub(crate) use gateway::{Gateway, check};
pub(crate) use poll::{eventually, within};
pub(crate) use scripted::Scripted;
pub(crate) use settings::{list, one_route};
pub(crate) use upstream::Upstream;
pub(crate) use wire::Wire;
