//! The admin listener: health, readiness, metrics, what runs, registration.
//!
//! Runs on the control thread, away from the workers, on an address of its
//! own. Reads snapshots and registries; the only thing it changes is the
//! registration of instances. Started by `gateway`.

mod instances;
mod server;
mod views;

pub use server::serve;

use std::sync::{Arc, atomic::AtomicBool};

use crate::{
    discovery::Registry,
    observe::Metrics,
    snapshot::{Current, Status},
};

/// What the admin listener shows.
#[derive(Clone)]
pub struct Admin {
    /// The snapshot that serves.
    pub current: Arc<Current>,
    /// Services and instances.
    pub registry: Arc<Registry>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// What the last reload said, and the plugin directory.
    pub status: Arc<Status>,
    /// True while new requests are welcome.
    pub ready: Arc<AtomicBool>,
}
