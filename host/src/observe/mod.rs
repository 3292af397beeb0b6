//! What the gateway shows of itself: metrics, and the log's set-up.
//!
//! Owns the names of all metrics and [`Metrics`], which keeps and renders
//! them. Whoever measures holds a handle ([`RouteMetrics`], [`FilterMetrics`],
//! …) that was resolved when its snapshot was built: on the request path there
//! is no look-up, no lock and no allocation, only a few atomic additions. Each
//! thread adds to a stripe of its own, so that workers do not fight over cache
//! lines; rendering sums the stripes up. A series lives as long as somebody
//! holds its handle: those of a route that a reload removed go with the last
//! request on it, those of a route that stays go on counting.
//!
//! That is why these are not a metrics crate's: their vectors lock at look-up,
//! their counters are shared by all threads, and their series are forgotten by
//! hand. What such a crate would add is the text format, a hundred lines here.
//!
//! Refuses whatever plugins offer above their bounds ([`PluginMetrics`]).
//! Called by everybody who measures, and by `admin` to render.

mod exposition;
mod figures;
mod filter;
mod histogram;
mod http_calls;
mod limited;
pub mod log;
mod metrics;
mod plugin;
mod process;
mod refused;
mod registry;
mod route;
mod series;
mod stripes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text;

pub use figures::{CertificateExpiry, InstanceHealth, PluginUses, StateFigures};
pub use filter::{BalancerMetrics, FilterMetrics, Hook};
pub use http_calls::HttpMetrics;
pub use limited::{Limit, Limited};
pub use metrics::{Metrics, OpenConnection};
pub use plugin::{Owner, PluginMetrics};
pub use refused::Refused;
pub use route::RouteMetrics;
