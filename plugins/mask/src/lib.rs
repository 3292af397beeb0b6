//! `mask`: replaces what must not be seen in bodies of any length.
//!
//! This file is the glue between the gateway and the parts: `config` (what is
//! written), `preset` (what many wish to hide), `rule` (what a match is),
//! `replacement` (what takes its place), `rules` (all of them together) and
//! `masker` (one body as it streams by).

pub mod config;
pub mod masker;
pub mod preset;
pub mod replacement;
pub mod rule;
pub mod rules;
