//! Metrics of the plugin's own, on the gateway's `/metrics` as
//! `portcullis_plugin_NAME` with a label `plugin` and the labels given.
//!
//! At most 16 names and 1,000 series per plugin; more are dropped and counted.
//! Names and labels match `[a-z_][a-z0-9_]*`; others are dropped too.

use crate::host::metrics as host;

/// Adds to a counter, which is named `…_total` by custom.
pub fn add(name: &str, labels: &[(&str, &str)], delta: u64) {
    host::add(name, labels, delta);
}

/// Sets a gauge.
pub fn set(name: &str, labels: &[(&str, &str)], value: f64) {
    host::set(name, labels, value);
}
