//! Reader of the uses of plugins: steps of a pipeline, and balancers.

use std::time::Duration;

use super::{
    Isolation, OnError, PluginConfig, Plugins, Step,
    allow::allow,
    duration::duration,
    name::name,
    plugin_limits::limits,
    reader::{Fields, Item},
    route::Services,
    scalar::{boolean, choice},
};

/// What the steps of a file refer to.
pub(super) struct Steps<'a> {
    /// What holds where a step says nothing else.
    pub(super) plugins: &'a Plugins,
    pub(super) services: &'a Services<'a>,
}

const KEYS: [&str; 9] = [
    "plugin",
    "config",
    "on_error",
    "required",
    "isolation",
    "allow",
    "limits",
    "namespace",
    "tick",
];

impl Steps<'_> {
    /// A step that is a balancer, of which some keys of filters would say nothing.
    pub(super) fn balancer(&self, item: &Item<'_>) -> Option<Step> {
        let fields = item.fields(&KEYS)?;
        for (key, instead) in [
            ("on_error", "a request without an instance fails: 503"),
            ("isolation", "one instance for each worker picks for all"),
            ("tick", "only filters have one"),
        ] {
            fields.read(key, |item| {
                item.mistake::<()>("means nothing for a balancer", instead)
            });
        }
        self.read(item, &fields)
    }

    /// A filter: `{ plugin, config, on_error, required, isolation, allow, limits, namespace, tick }`.
    pub(super) fn step(&self, item: &Item<'_>) -> Option<Step> {
        self.read(item, &item.fields(&KEYS)?)
    }

    fn read(&self, item: &Item<'_>, fields: &Fields<'_>) -> Option<Step> {
        let required = fields.read_or("required", false, boolean);
        let on_error = fields.read_or("on_error", OnError::default(), |item| {
            let choices = [("fail", OnError::Fail), ("skip", OnError::Skip)];
            let on_error = choice(item, &choices)?;
            if required && on_error == OnError::Skip {
                let message = "a required filter cannot be skipped";
                return item.mistake(message, "leave out `on_error`, or `required`");
            }
            Some(on_error)
        });
        let isolation = fields.read_or("isolation", Isolation::default(), |item| {
            let choices = [
                ("reuse", Isolation::Reuse),
                ("per_request", Isolation::PerRequest),
            ];
            choice(item, &choices)
        });
        let config = fields.get("config");
        let plugin = fields.require("plugin", "NAME", name);
        let usual = self.plugins.of(plugin.as_deref().unwrap_or_default());
        let allow = fields.read("allow", |item| allow(item, usual.allow, self.services));
        let limits = fields.read("limits", |item| limits(item, usual.limits));
        let namespace = fields.read("namespace", name);
        let tick = fields.read("tick", tick);
        Some(Step {
            config: config.map_or_else(
                || PluginConfig::empty(item.at()),
                |config| config.node.to_plugin_config(),
            ),
            on_error,
            required,
            isolation,
            allow: allow.unwrap_or_else(|| usual.allow.clone()),
            limits: limits.unwrap_or_else(|| usual.limits.clone()),
            tick,
            namespace: namespace.or_else(|| plugin.clone())?,
            plugin: plugin?,
            key: item.key.clone(),
            at: item.at(),
        })
    }
}

/// Background work at a higher rate than this is no background.
const SHORTEST_TICK: Duration = Duration::from_millis(100);

fn tick(item: &Item<'_>) -> Option<Duration> {
    match duration(item)? {
        tick if tick < SHORTEST_TICK => item.mistake("too short", "at least `100ms`"),
        tick => Some(tick),
    }
}
