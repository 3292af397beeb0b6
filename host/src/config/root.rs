//! Reader of the whole configuration, and of its listeners.

use std::{cell::RefCell, net::SocketAddr, num::NonZeroUsize, path::Path, thread};

use super::{
    Admin, Config, Diagnostics, Limits, Listener, Plugins,
    address::socket,
    admin::admin,
    alike::note_routes_alike,
    limits::limits,
    node::Value,
    plugins::plugins,
    reader::{Fields, Item},
    route::{Services, routes},
    scalar::count,
    service::services,
    step::Steps,
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
    ])?;
    let base = file.parent().unwrap_or(Path::new(""));
    let workers = fields.read_or("workers", cores(), |item| {
        NonZeroUsize::new(count(item, 1..=MOST_WORKERS)?)
    });
    let admin = match fields.get("admin") {
        Some(item) => admin(&item),
        None => Some(Admin::default()),
    };
    let listeners = fields.require("listeners", "[{ address: \"127.0.0.1:8080\" }]", |item| {
        listeners(item, fields.get("admin").as_ref(), admin.as_ref())
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
    let routes = routes.into_iter().map(|read| read.route).collect();
    Some(Config {
        file: file.to_owned(),
        workers,
        limits: fields.read_or("limits", Limits::default(), limits),
        listeners: listeners.unwrap_or_default(),
        admin,
        plugins: plugins?,
        services: services.unwrap_or_default(),
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

fn listeners(
    item: &Item<'_>,
    admin_item: Option<&Item<'_>>,
    admin: Option<&Admin>,
) -> Option<Vec<Listener>> {
    let items = item.list("`- address: 127.0.0.1:8080`")?;
    if items.is_empty() {
        return item.mistake(
            "without a listener no request can come in",
            "such as `- address: 127.0.0.1:8080`",
        );
    }
    let mut taken: Vec<(SocketAddr, String)> = Vec::new();
    if let Some(admin) = admin {
        let at = admin_item.map_or("by default".to_owned(), |item| format!("at {}", item.at()));
        taken.push((admin.address, format!("the admin listener has it ({at})")));
    }
    let listeners = items.iter().filter_map(|item| listener(item, &mut taken));
    Some(listeners.collect())
}

fn listener(item: &Item<'_>, taken: &mut Vec<(SocketAddr, String)>) -> Option<Listener> {
    let fields = item.fields(&["address"])?;
    let address = fields.require("address", "127.0.0.1:8080", socket)?;
    if let Some((_, by)) = taken
        .iter()
        .find(|(other, _)| *other == address && address.port() != 0)
    {
        return item.mistake(format!("`{address}` is taken"), by.clone());
    }
    taken.push((address, format!("the listener at {} has it", item.at())));
    Some(Listener { address })
}
