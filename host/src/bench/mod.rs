//! `portcullis bench`: what each filter of a route costs, before it is deployed.
//!
//! Runs a route's pipeline in this process, on one thread, as a worker runs it
//! (a snapshot's slots and instances), against an upstream that is not there:
//! nothing is connected to, and every answer is the same. Owns how that is
//! measured and shown; the command line is `main`'s.
//!
//! Reading order: `command`, `scene` (what is measured), `canned` (with what),
//! `passage` (one request's way, hook by hook), `watch` (what is noted at each
//! hook), `measure`, `compare`. `report` and `table` show it.
//!
//! Refuses whatever `check` refuses, and a request that another route would
//! take. Changes nothing but the cache of compiled plugins.

mod canned;
mod clock;
mod command;
mod compare;
mod difference;
mod histogram;
mod interval;
mod ledger;
mod measure;
mod options;
mod passage;
mod report;
mod request;
mod scene;
mod synthetic;
mod table;
mod track;
mod watch;
mod whole;

pub use command::{Outcome, run};
pub use options::{Compare, Effort, Options, Place};
