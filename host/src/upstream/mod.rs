//! Upstream connections: connect, keep, send; and whether to send again.
//!
//! Owns the sockets to instances. A [`Pool`] belongs to one worker and is not
//! shared: no lock, nothing crosses threads. What it is given it sends as it
//! is: hop-by-hop and forwarding headers are the proxy's matter, picking an
//! instance is the balancer's, and time limits beyond connecting are the
//! caller's, who drops the future.
//!
//! A request that may change to another protocol ([`Pool::switch`]) has a
//! connection of its own, which is never kept.
//!
//! Never followed: redirects. Never kept: a connection whose response was not
//! read to its end, that was asked to close, or on which anything came that
//! was not asked for.
//!
//! The proxy calls [`Pool`] and [`retry`]; health checks call [`probe`].

mod backoff;
mod body;
mod budget;
mod connection;
mod error;
mod extended;
mod framing;
mod many;
mod multiplexed;
mod pool;
pub mod probe;
pub mod retry;
mod switch;
mod target;

pub use backoff::Backoff;
pub use body::UpstreamBody;
pub use budget::Budget;
pub use error::{SendError, SendErrorKind};
pub use extended::websocket_accept;
pub use multiplexed::Multiplexing;
pub use pool::{Counts, Pool, PoolOptions};
pub use retry::{Policy, Reason, Repeatable, RequestBody};
pub use switch::Switched;
pub use target::{Protocol, Target};

#[cfg(test)]
mod tests;
