//! What one filter may use, and the count of what it wanted beyond.
//!
//! Made once per configured plugin; all its instances share it. Nothing in it
//! is touched on the way of a request but what a plugin's own calls touch.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{
    config::{Allow, PluginLimits},
    observe::{Limit, Limited, Metrics, Owner},
    outbound::{self, Policy},
    state::Space,
};

use super::{
    line::Full,
    log_budget::{Line, LogBudget},
};

/// What one filter may use.
pub(super) struct Allowance {
    pub(super) limits: PluginLimits,
    plugin: Box<str>,
    namespace: Box<str>,
    /// The services that it may see. None: all.
    services: Option<BTreeSet<String>>,
    /// Whom its own requests may reach.
    pub(super) http: Arc<outbound::Plugin>,
    limited: Arc<Limited>,
    log: LogBudget,
    /// Instances that belong to one request each, and calls that wait.
    at_work: AtomicUsize,
    /// Bytes of bodies that are kept for it to see whole.
    kept: AtomicUsize,
}

impl Allowance {
    pub(super) fn new(
        plugin: &str,
        namespace: &str,
        limits: PluginLimits,
        allow: &Allow,
        metrics: &Metrics,
    ) -> Arc<Self> {
        Arc::new(Self {
            http: Arc::new(outbound::Plugin {
                name: plugin.into(),
                policy: Policy::of(allow),
                calls: limits.http.calls,
                metrics: metrics.plugins().http(plugin),
            }),
            limits,
            plugin: plugin.into(),
            namespace: namespace.into(),
            services: allow.services().cloned(),
            limited: metrics.plugins().limited(plugin),
            log: LogBudget::default(),
            at_work: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
        })
    }

    /// It wanted more than a limit gives.
    #[cold]
    pub(super) fn limited(&self, limit: Limit) {
        self.limited.count(limit);
    }

    /// Where its counters are.
    #[inline]
    pub(super) fn counters(&self) -> Space<'_> {
        Space {
            name: &self.namespace,
            entries: self.limits.counters,
            bytes: usize::MAX,
            dropped: Some(self.limited.of(Limit::Counters)),
        }
    }

    /// Where its stored values are.
    pub(super) fn values(&self) -> Space<'_> {
        Space {
            name: &self.namespace,
            entries: self.limits.store_keys,
            bytes: self.limits.store_bytes,
            dropped: Some(self.limited.of(Limit::Store)),
        }
    }

    /// Whose metrics its own are.
    pub(super) fn metrics(&self) -> Owner<'_> {
        Owner {
            plugin: &self.plugin,
            series: self.limits.metric_series,
        }
    }

    /// Whether it may see a service.
    pub(super) fn shows(&self, service: &str) -> bool {
        let listed = |services: &BTreeSet<String>| services.contains(service);
        self.services.as_ref().is_none_or(listed)
    }

    /// Takes one line of the log, in whole seconds since any fixed point.
    pub(super) fn line(&self, second: u64) -> Line {
        let line = self.log.take(second, self.limits.log_lines);
        if line == Line::Lose {
            self.limited(Limit::LogLines);
        }
        line
    }

    /// Room for an instance that one request has to itself, or for a call that
    /// waits; none if there are too many.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Room> {
        let more = |count| (count < self.limits.instances).then_some(count + 1);
        match self.at_work.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => Some(Room(Arc::clone(self))),
            Err(_) => {
                self.limited(Limit::Instances);
                None
            }
        }
    }
}

/// What is kept of one body for a plugin to see whole, counted over all workers
/// until this is dropped.
pub struct Kept {
    allowance: Arc<Allowance>,
    bytes: usize,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn new(allowance: &Arc<Allowance>) -> Self {
        Self {
            allowance: Arc::clone(allowance),
            bytes: 0,
        }
    }

    /// Counts so many bytes more.
    ///
    /// # Errors
    ///
    /// There are too many, of all bodies together.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let most = self.allowance.limits.body_buffers;
        let more = |kept: usize| kept.checked_add(bytes).filter(|kept| *kept <= most);
        match self.allowance.kept.fetch_update(Relaxed, Relaxed, more) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => {
                self.allowance.limited(Limit::BodyBuffers);
                Err(Full)
            }
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.bytes).finish()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.allowance.kept.fetch_sub(self.bytes, Relaxed);
    }
}

/// Room for one instance at work, over all workers, until it is dropped.
pub struct Room(Arc<Allowance>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Relaxed);
    }
}
