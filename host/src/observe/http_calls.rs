//! What is measured of the requests that a plugin makes itself.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    exposition::{Exposition, Number, Type},
    filter::Errors,
    histogram::nanos,
    series::Series,
};

/// One plugin's own requests.
#[derive(Debug, Default)]
pub struct HttpMetrics {
    calls: AtomicU64,
    nanos: AtomicU64,
    errors: Errors,
}

impl HttpMetrics {
    /// One has ended, and took so long from its start to its last byte. `error`:
    /// how it failed; of ways there are few.
    pub fn finished(&self, took: Duration, error: Option<&'static str>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos(took), Ordering::Relaxed);
        error.map(|kind| self.errors.count(kind)).unwrap_or(());
    }

    /// One was not begun.
    pub fn refused(&self, error: &'static str) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.count(error);
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

/// Renders the families of all plugins; those that make no requests have no lines.
pub(super) fn render(plugins: &BTreeMap<&str, &Series>, out: &mut Exposition) {
    let all = || {
        plugins
            .iter()
            .map(|(plugin, series)| (*plugin, &*series.http))
    };
    let asking = || all().filter(|(_, http)| http.calls() > 0);
    let name = "portcullis_plugin_http_calls_total";
    out.family(name, Type::Counter, "Requests that a plugin made itself.");
    for (plugin, http) in asking() {
        out.sample(name, &[("plugin", plugin)], Number::Count(http.calls()));
    }
    let name = "portcullis_plugin_http_duration_seconds_total";
    out.family(
        name,
        Type::Counter,
        "Time from their start to the last byte of their answers.",
    );
    for (plugin, http) in asking() {
        let nanos = http.nanos.load(Ordering::Relaxed);
        out.sample(name, &[("plugin", plugin)], Number::Nanos(nanos));
    }
    let name = "portcullis_plugin_http_errors_total";
    out.family(name, Type::Counter, "Those that failed, by kind.");
    for (plugin, http) in asking() {
        for (kind, count) in http.errors.all() {
            let labels = [("plugin", plugin), ("kind", kind)];
            out.sample(name, &labels, Number::Count(count));
        }
    }
}
