//! What the tests start and ask.

mod client;
mod gateway;
mod poll;
mod upstream;

pub(crate) use client::{Client, Reply, get};
pub(crate) use gateway::{Gateway, check};
pub(crate) use poll::{eventually, within};
pub(crate) use upstream::Upstream;
