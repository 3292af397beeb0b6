//! `cargo xtask bench load`: this gateway and the others that are installed,
//! on the same machine in the same minutes, under the same load.
//!
//! `run` is the whole in one screen. `own` and `peers` say who is compared and
//! how each is configured, as a `contender`; `site` is where one runs. `start`
//! starts them and `echo` looks whether they do what they are said to. `measure`
//! takes one sample, with the generator of `tool` and the accounts of `usage`;
//! `rounds` takes all of them. `table`, `record` and `plot` write what
//! `statistics` makes of it, next to the notes of `machine`.

mod arguments;
pub(super) mod build;
pub(crate) mod contender;
mod echo;
mod measure;
mod own;
mod peers;
mod plot;
mod record;
pub(super) mod results;
mod rounds;
mod run;
pub(crate) mod site;
mod start;
pub(crate) mod statistics;
mod table;
pub(crate) mod tool;
pub(crate) mod usage;

pub(crate) use arguments::Arguments;
pub(crate) use run::run;
