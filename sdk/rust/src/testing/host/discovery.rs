//! `discovery`: the services of the test.

use super::with;
use crate::Instance;

pub(crate) fn services() -> Vec<String> {
    with(|state| state.services.keys().cloned().collect())
}

pub(crate) fn instances(service: &str) -> Option<Vec<Instance>> {
    with(|state| state.services.get(service).cloned())
}
