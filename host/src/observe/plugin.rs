//! Metrics of the plugins' own, and what the gateway notes of a plugin.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    exposition::{Exposition, Labels, Number, Type},
    series::{Kind, Series},
};

/// Series that plugins define, by plugin: shown as `portcullis_plugin_NAME`
/// with a label `plugin` and their own.
///
/// Per plugin at most 16 names, each a counter or a gauge for good, and 1,000
/// series of at most 16 labels and 1 KiB; names match `[a-z_][a-z0-9_]*`, and
/// a label is none of `plugin` and `__…`. The rest is dropped and counted. The
/// order of labels does not matter. No locks; a series that exists is found
/// without an allocation: two look-ups and one atomic operation.
#[derive(Debug, Default)]
pub struct PluginMetrics {
    plugins: papaya::HashMap<Box<str>, Arc<Series>, foldhash::fast::RandomState>,
}

impl PluginMetrics {
    /// Adds to a counter.
    pub fn add(&self, plugin: &str, name: &str, labels: &[(&str, &str)], delta: u64) {
        let change = |value: &AtomicU64| {
            value.fetch_add(delta, Ordering::Relaxed);
        };
        self.of(plugin, |series| {
            series.update(Kind::Counter, name, labels, change)
        });
    }

    /// Sets a gauge.
    pub fn set(&self, plugin: &str, name: &str, labels: &[(&str, &str)], to: f64) {
        let change = |value: &AtomicU64| value.store(to.to_bits(), Ordering::Relaxed);
        self.of(plugin, |series| {
            series.update(Kind::Gauge, name, labels, change)
        });
    }

    /// A call of this plugin ended in a trap.
    pub fn trapped(&self, plugin: &str) {
        self.of(plugin, |series| {
            series.traps.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Forgets the series of plugins that are gone.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.plugins.pin().retain(|plugin, _| stays(plugin));
    }

    fn of(&self, plugin: &str, act: impl FnOnce(&Series)) {
        let plugins = self.plugins.pin();
        match plugins.get(plugin) {
            Some(series) => act(series),
            None => act(plugins.get_or_insert_with(plugin.into(), Arc::default)),
        }
    }

    pub(super) fn render(&self, out: &mut Exposition) {
        let plugins = self.plugins.pin();
        let plugins: BTreeMap<&str, &Series> = (plugins.iter())
            .map(|(plugin, series)| (&**plugin, &**series))
            .collect();
        let name = "portcullis_plugin_traps_total";
        out.family(
            name,
            Type::Counter,
            "Calls of a plugin that ended in a trap.",
        );
        for (plugin, series) in &plugins {
            let count = series.traps.load(Ordering::Relaxed);
            out.sample(name, &[("plugin", plugin)], Number::Count(count));
        }
        let name = "portcullis_plugin_metrics_dropped_total";
        let help = "Changes of a plugin's own metrics that were above its bounds or malformed.";
        out.family(name, Type::Counter, help);
        for (plugin, series) in &plugins {
            let count = series.dropped.load(Ordering::Relaxed);
            out.sample(name, &[("plugin", plugin)], Number::Count(count));
        }
        for (name, family) in families(&plugins) {
            family.render(&format!("portcullis_plugin_{name}"), out);
        }
    }
}

/// A name's series of all plugins.
struct Family {
    kind: Type,
    samples: Vec<(Vec<(String, String)>, Number)>,
}

impl Family {
    fn render(&self, name: &str, out: &mut Exposition) {
        out.family(name, self.kind, "Defined by a plugin.");
        for (labels, number) in &self.samples {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            let labels: Labels<'_> = &labels;
            out.sample(name, labels, *number);
        }
    }
}

/// Plugins may use a name differently; then its family has no type.
fn families(plugins: &BTreeMap<&str, &Series>) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for (plugin, series) in plugins {
        series.each(|kind, name, labels, bits| {
            let (kind, number) = match kind {
                Kind::Counter => (Type::Counter, Number::Count(bits)),
                Kind::Gauge => (Type::Gauge, Number::Float(f64::from_bits(bits))),
            };
            let new = || Family {
                kind,
                samples: Vec::new(),
            };
            let family = families.entry(name.to_owned()).or_insert_with(new);
            if family.kind != kind {
                family.kind = Type::Untyped;
            }
            let mut all = vec![("plugin".to_owned(), (*plugin).to_owned())];
            all.extend(
                labels
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_string())),
            );
            family.samples.push((all, number));
        });
    }
    families
}
