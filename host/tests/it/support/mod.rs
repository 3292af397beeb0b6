//! What the tests start and ask.

mod asking;
mod authority;
mod bodies;
mod bomb;
mod client;
pub(crate) mod frames;
mod gateway;
#[path = "../../guests/build.rs"]
mod guests;
mod hostile;
mod http2;
mod load;
mod poll;
mod process;
mod raw;
mod scripted;
mod secure;
mod settings;
mod stream;
mod tunnels;
mod upstream;
pub(crate) mod websocket;
mod wire;

pub(crate) use asking::{asking, modest};
pub(crate) use authority::{Authority, Signed};
pub(crate) use bodies::start_with_bodies;
pub(crate) use bomb::bomb;
pub(crate) use client::{Client, Reply, get};
pub(crate) use gateway::{Gateway, check, command, copy_plugin, lay_out, plugin_bytes, put};
pub(crate) use hostile::{hostile, start_with_files, wanting};
pub(crate) use http2::Http2;
pub(crate) use load::Load;
pub(crate) use poll::{eventually, within};
pub(crate) use process::{children, open_descriptors, peak_memory, resident_memory};
pub(crate) use raw::{component, raw, raw_with, text};
pub(crate) use scripted::Scripted;
pub(crate) use secure::{Secure, Wants};
pub(crate) use settings::one_route;
pub(crate) use tunnels::Tunnels;
pub(crate) use upstream::Upstream;
pub(crate) use wire::Wire;
