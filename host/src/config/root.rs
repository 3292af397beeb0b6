//! Reader of the whole configuration.

use std::{cell::RefCell, num::NonZeroUsize, path::Path, thread};

use super::{
    Admin, Config, Diagnostics, Limits, Networks, Plugins,
    admin::admin,
    alike::note_routes_alike,
    limits::limits,
    listener::listeners,
    networks::networks,
    node::Value,
    plugins::plugins,
    reader::{Fields, Item},
    route::{Services, routes},
    scalar::count,
    service::services,
    step::Steps,
    upgrades::note_upgrades_to_http2,
};

/// More threads than any machine has use for.
const MOST_WORKERS: u64 = 1_024;

/// Reads a tree; none if it is no map, or where plugins are cannot be read.
pub(super) fn config(
    item: &Item<'_>,
    file: &Path,
    mistakes: &RefCell<Diagnostics>,
) -> Option<Config> {
    let fields = item.fields(&[
        "workers",
        "listeners",
        "admin",
        "plugins",
        "services",
        "routes",
        "limits",
        "trusted_proxies",
    ])?;
    let base = file.parent().unwrap_or(Path::new(""));
    let workers = fields.read_or("workers", cores(), |item| {
        NonZeroUsize::new(count(item, 1..=MOST_WORKERS)?)
    });
    let admin = match fields.get("admin") {
        Some(item) => admin(&item),
        None => Some(Admin::default()),
    };
    let trusted = fields.read_or("trusted_proxies", Networks::default(), networks);
    let listeners = fields.require("listeners", "[{ address: \"127.0.0.1:8080\" }]", |item| {
        let admin_item = fields.get("admin");
        listeners(item, base, &trusted, admin_item.as_ref(), admin.as_ref())
    });
    let names = service_names(&fields);
    let beside = Plugins::beside(base);
    let plugins = match fields.get("plugins") {
        Some(item) => plugins(&item, base, &names),
        None => Some(beside.clone()),
    };
    let steps = Steps {
        plugins: plugins.as_ref().unwrap_or(&beside),
        services: &names,
    };
    let services = fields.read("services", |item| services(item, base, &steps));
    let routes = fields
        .read("routes", |item| routes(item, &steps))
        .unwrap_or_default();
    note_routes_alike(&routes, mistakes);
    let routes: Vec<_> = routes.into_iter().map(|read| read.route).collect();
    let services = services.unwrap_or_default();
    note_upgrades_to_http2(&routes, &services, mistakes);
    Some(Config {
        file: file.to_owned(),
        workers,
        limits: fields.read_or("limits", Limits::default(), limits),
        listeners: listeners.unwrap_or_default(),
        admin,
        plugins: plugins?,
        services,
        routes,
    })
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn service_names<'a>(fields: &Fields<'a>) -> Services<'a> {
    let names = match fields.get("services").map(|item| &item.node.value) {
        Some(Value::Map(entries)) => entries.iter().map(|entry| &*entry.key).collect(),
        _ => Vec::new(),
    };
    Services::new(names)
}
