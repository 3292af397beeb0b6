//! Reader of the uses of plugins: steps of a pipeline, and balancers.

use super::{Isolation, OnError, PluginConfig, Step, name::name, reader::Item, scalar::choice};

/// What a plugin may be lent: interfaces of the WIT package, and of WASI.
const GRANTS: [&str; 8] = [
    "counters",
    "store",
    "discovery",
    "crypto",
    "log",
    "metrics",
    "clock",
    "random",
];

/// `{ plugin, config, on_error, isolation, grants }`.
pub(super) fn step(item: &Item<'_>) -> Option<Step> {
    let fields = item.fields(&["plugin", "config", "on_error", "isolation", "grants"])?;
    let on_error = fields.read_or("on_error", OnError::default(), |item| {
        choice(item, &[("fail", OnError::Fail), ("skip", OnError::Skip)])
    });
    let isolation = fields.read_or("isolation", Isolation::default(), |item| {
        let choices = [
            ("reuse", Isolation::Reuse),
            ("per_request", Isolation::PerRequest),
        ];
        choice(item, &choices)
    });
    let config = fields.get("config");
    let grants = fields.read("grants", grants);
    Some(Step {
        plugin: fields.require("plugin", "NAME", name)?,
        config: config.map_or_else(
            || PluginConfig::empty(item.at()),
            |config| config.node.to_plugin_config(),
        ),
        on_error,
        isolation,
        grants,
        key: item.key.clone(),
        at: item.at(),
    })
}

/// None if one of them is none: fewer grants than meant would be a mistake more.
fn grants(item: &Item<'_>) -> Option<Vec<String>> {
    let choices = GRANTS.map(|name| (name, name));
    let items = item.list("`[counters, log]`")?;
    let read: Vec<_> = items.iter().map(|item| choice(item, &choices)).collect();
    read.into_iter()
        .map(|name| name.map(str::to_owned))
        .collect()
}
