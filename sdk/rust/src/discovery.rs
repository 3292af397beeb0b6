//! What the gateway knows of services and their instances.

use crate::host::discovery as host;

pub use crate::bindings::imports::portcullis::gateway::discovery::Instance;

/// The names of all services.
pub fn services() -> Vec<String> {
    host::services()
}

/// The instances of a service that are registered and healthy, ordered by id;
/// none if there is no such service.
pub fn instances(service: &str) -> Option<Vec<Instance>> {
    host::instances(service)
}
