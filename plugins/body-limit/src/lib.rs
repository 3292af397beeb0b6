//! `body-limit`: bounds the bodies of requests and responses.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written) and `limit` (what is counted).

pub mod config;
pub mod limit;
