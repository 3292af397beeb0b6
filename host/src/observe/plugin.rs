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
    http_calls::{self, HttpMetrics},
    limited::Limited,
    series::{Kind, Series},
};

/// Whose series one is, and how many its owner may have when one is added. A
/// bare name: 1,000.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The plugin's name.
    pub plugin: &'a str,
    /// Series that it may have.
    pub series: usize,
}

impl<'a> From<&'a str> for Owner<'a> {
    fn from(plugin: &'a str) -> Self {
        Self {
            plugin,
            series: 1_000,
        }
    }
}

/// Series that plugins define, by plugin: shown as `portcullis_plugin_NAME`
/// with a label `plugin` and their own.
///
/// Per plugin at most 16 names, each a counter or a gauge for good, and as many
/// series as its [`Owner`] says of at most 16 labels and 1 KiB; names match `[a-z_][a-z0-9_]*`, and
/// a label is none of `plugin` and `__…`. The rest is dropped and counted. The
/// order of labels does not matter. No locks; a series that exists is found
/// without an allocation: two look-ups and one atomic operation.
#[derive(Debug, Default)]
pub struct PluginMetrics {
    plugins: papaya::HashMap<Box<str>, Arc<Series>, foldhash::fast::RandomState>,
}

impl PluginMetrics {
    /// Adds to a counter.
    pub fn add<'a>(
        &self,
        owner: impl Into<Owner<'a>>,
        name: &str,
        labels: &[(&str, &str)],
        delta: u64,
    ) {
        let owner = owner.into();
        let change = |value: &AtomicU64| {
            value.fetch_add(delta, Ordering::Relaxed);
        };
        self.of(owner.plugin, |series| {
            series.update(Kind::Counter, name, labels, owner.series, change)
        });
    }

    /// Sets a gauge.
    pub fn set<'a>(
        &self,
        owner: impl Into<Owner<'a>>,
        name: &str,
        labels: &[(&str, &str)],
        to: f64,
    ) {
        let owner = owner.into();
        let change = |value: &AtomicU64| value.store(to.to_bits(), Ordering::Relaxed);
        self.of(owner.plugin, |series| {
            series.update(Kind::Gauge, name, labels, owner.series, change)
        });
    }

    /// A call of this plugin ended in a trap.
    pub fn trapped(&self, plugin: &str) {
        self.of(plugin, |series| {
            series.traps.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// A use of this plugin was quarantined, or stays so after a probe.
    pub fn quarantined(&self, plugin: &str) {
        self.of(plugin, |series| {
            series.quarantines.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Forgets the series of plugins that are gone.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.plugins.pin().retain(|plugin, _| stays(plugin));
    }

    /// Where it is counted how often a plugin met its limits.
    pub fn limited(&self, plugin: &str) -> Arc<Limited> {
        let mut limited = None;
        self.of(plugin, |series| limited = Some(Arc::clone(&series.limited)));
        limited.unwrap_or_default()
    }

    /// Where a plugin's own requests are counted.
    pub fn http(&self, plugin: &str) -> Arc<HttpMetrics> {
        let mut http = None;
        self.of(plugin, |series| http = Some(Arc::clone(&series.http)));
        http.unwrap_or_default()
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
        let name = "portcullis_plugin_quarantines_total";
        let help = "Quarantines of a plugin that began, or were prolonged after a probe.";
        out.family(name, Type::Counter, help);
        for (plugin, series) in &plugins {
            let count = series.quarantines.load(Ordering::Relaxed);
            out.sample(name, &[("plugin", plugin)], Number::Count(count));
        }
        let name = "portcullis_plugin_metrics_dropped_total";
        let help = "Changes of a plugin's own metrics that were above its bounds or malformed.";
        out.family(name, Type::Counter, help);
        for (plugin, series) in &plugins {
            let count = series.dropped.load(Ordering::Relaxed);
            out.sample(name, &[("plugin", plugin)], Number::Count(count));
        }
        let name = "portcullis_plugin_limited_total";
        let help = "Times that a plugin wanted more than it may have, by limit.";
        out.family(name, Type::Counter, help);
        for (plugin, series) in &plugins {
            for (limit, count) in series.limited.met() {
                let labels = [("plugin", *plugin), ("limit", limit)];
                out.sample(name, &labels, Number::Count(count));
            }
        }
        http_calls::render(&plugins, out);
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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::{
        Limit, Metrics, Owner,
        text::{read, value},
    };

    #[test]
    fn a_plugins_metrics_are_found_in_whatever_order_their_labels_come() {
        let metrics = Metrics::new();
        let plugins = metrics.plugins();
        plugins.add("p", "seen_total", &[("b", "2"), ("a", "1")], 3);
        plugins.add("p", "seen_total", &[("a", "1"), ("b", "2")], 4);
        plugins.set("p", "state", &[], 1.5);
        plugins.set("p", "state", &[], -2.5);
        plugins.set("p", "huge", &[], f64::INFINITY);
        plugins.add("q", "state", &[], 1);
        plugins.trapped("q");
        let text = metrics.render();
        let samples = read(&text);
        for (name, labels, expected) in [
            (
                "seen_total",
                &[("plugin", "p"), ("a", "1"), ("b", "2")][..],
                7.0,
            ),
            ("state", &[("plugin", "p")], -2.5),
            ("huge", &[("plugin", "p")], f64::INFINITY),
            ("state", &[("plugin", "q")], 1.0),
            ("traps_total", &[("plugin", "q")], 1.0),
            ("metrics_dropped_total", &[("plugin", "p")], 0.0),
        ] {
            let name = format!("portcullis_plugin_{name}");
            assert_eq!(
                value(&samples, &name, labels),
                Some(expected),
                "{name} {labels:?}"
            );
        }
        assert!(text.contains("# TYPE portcullis_plugin_seen_total counter\n"));
        assert!(text.contains("# TYPE portcullis_plugin_huge gauge\n"));
        assert!(
            text.contains("# TYPE portcullis_plugin_state untyped\n"),
            "plugins do not agree"
        );
        plugins.retain(|plugin| plugin != "p");
        assert!(!metrics.render().contains("\"p\""));
    }

    #[test]
    fn hostile_labels_stay_labels() {
        let metrics = Metrics::new();
        let hostile = "\"} 1\nportcullis_requests_total 9\\n\\\r\u{2028}ä";
        metrics
            .plugins()
            .add("p", "seen_total", &[("value", hostile)], 1);
        let route = metrics.route(hostile);
        route.started();
        let samples = read(&metrics.render());
        let of = [("plugin", "p"), ("value", hostile)];
        assert_eq!(
            value(&samples, "portcullis_plugin_seen_total", &of),
            Some(1.0)
        );
        assert_eq!(
            value(
                &samples,
                "portcullis_requests_in_flight",
                &[("route", hostile)]
            ),
            Some(1.0)
        );
    }

    #[test]
    fn what_is_malformed_is_dropped_and_counted() {
        let metrics = Metrics::new();
        let plugins = metrics.plugins();
        let long = "x".repeat(2000);
        let many: Vec<String> = (0..17).map(|index| format!("l{index}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        plugins.set("p", "gauge", &[], 1.0);
        for (name, labels) in [
            ("", &[][..]),
            ("Upper", &[]),
            ("9nine", &[]),
            ("with-dash", &[]),
            ("with\nnewline", &[]),
            ("ümlaut", &[]),
            ("traps_total", &[]),
            ("limited_total", &[]),
            ("metrics_dropped_total", &[]),
            ("quarantined", &[]),
            (&long, &[]),
            ("good", &[("", "")]),
            ("good", &[("Upper", "")]),
            ("good", &[("__reserved", "")]),
            ("good", &[("plugin", "other")]),
            ("good", &[("twice", "1"), ("twice", "2")]),
            ("good", &[("long", &long)]),
            ("good", &many),
            ("gauge", &[]),
        ] {
            plugins.add("p", name, labels, 1);
        }
        let samples = read(&metrics.render());
        let dropped = "portcullis_plugin_metrics_dropped_total";
        assert_eq!(value(&samples, dropped, &[("plugin", "p")]), Some(19.0));
        let own = samples
            .keys()
            .filter(|(_, labels)| labels.contains(&("plugin".into(), "p".into())));
        assert_eq!(
            own.count(),
            4,
            "its gauge, its traps, its quarantines, what it lost"
        );
    }

    #[test]
    fn a_plugin_has_the_series_that_its_limit_allows() {
        let metrics = Metrics::new();
        let few = Owner {
            plugin: "p",
            series: 2,
        };
        for index in 0..5 {
            metrics
                .plugins()
                .add(few, "n", &[("l", &index.to_string())], 1);
        }
        metrics.plugins().limited("p").count(Limit::HostCalls);
        let samples = read(&metrics.render());
        let limited = |limit: &str| {
            let labels = [("plugin", "p"), ("limit", limit)];
            value(&samples, "portcullis_plugin_limited_total", &labels)
        };
        assert_eq!(limited("metric_series"), Some(3.0));
        assert_eq!(limited("host_calls"), Some(1.0));
        assert_eq!(limited("memory"), None);
    }

    #[test]
    fn a_plugin_has_sixteen_names_and_a_thousand_series() {
        let metrics = Metrics::new();
        let plugins = metrics.plugins();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for index in 0..20 {
                        plugins.add("names", &format!("n{index}"), &[], 1);
                    }
                    for index in 0..1200 {
                        plugins.add("series", "n", &[("l", &index.to_string())], 1);
                    }
                });
            }
        });
        let samples = read(&metrics.render());
        let own = |plugin: &str, prefix: &str| -> Vec<f64> {
            let of = ("plugin".to_owned(), plugin.to_owned());
            let own = samples.iter().filter(|((name, labels), _)| {
                name.starts_with(&format!("portcullis_plugin_{prefix}")) && labels.contains(&of)
            });
            own.map(|(_, value)| *value).collect()
        };
        assert_eq!(own("names", "n").len(), 16);
        assert_eq!(own("names", "metrics_dropped_total"), [4.0 * 4.0]);
        // Threads that make the same series at once may each hold room for it.
        let kept = own("series", "n");
        assert!((996..=1000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(
            own("series", "limited_total"),
            [4.0 * 1200.0 - kept.iter().sum::<f64>()]
        );
        // What is not kept is counted, one by one.
        let dropped = own("series", "metrics_dropped_total");
        let all = kept.iter().chain(&dropped).sum::<f64>();
        assert_eq!(all, 4.0 * 1200.0);
    }
}
