//! Which route a request takes.
//!
//! Owns the order in which routes are tried: exact host, then wildcard hosts
//! from the longest to the shortest, then any host; within a host the path,
//! segment by segment, literal before parameter before rest; at one path the
//! route with more conditions (headers, query, methods) first, then the order
//! of the file. What does not match in full falls back to the next in this
//! order. That is why the tree is our own: `matchit`, the usual crate, gives one
//! value per path and cannot go on to a less specific pattern when a header
//! does not match.
//!
//! Paths are compared as they are given: whoever calls must have settled on one
//! spelling of them. Refuses routes that match exactly alike. Does no I/O,
//! never locks, and looks up without allocating; built once per snapshot and
//! asked by `proxy` once per request.
//!
//! A look-up visits each node of a host's tree at most once, since a node is
//! reached over one way only: going back costs at most the size of the tree,
//! never two to the power of the path's length.

mod conditions;
mod conflict;
mod parameters;
mod query;
mod table;
mod trie;

#[cfg(test)]
mod tests;

pub use conflict::Conflict;
pub use parameters::Parameters;
pub use table::{Found, Router};
