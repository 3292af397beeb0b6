//! `json-transform`: renames, removes and adds fields of JSON bodies.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `path` (how a place is written), `tree` (which changes apply
//! where), `pass` (one pass over a text), `transform` (all of them in order)
//! and `lines` (a body with a text on each line).

pub mod config;
pub mod lines;
mod pass;
pub mod path;
pub mod transform;
pub mod tree;
