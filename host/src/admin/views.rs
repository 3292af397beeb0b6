//! What runs, as JSON.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::{
    config::{Config, Route, Step},
    discovery::{Member, Service, Source},
    plugin::{Capability, Plugin, Quarantine},
    snapshot::Snapshot,
};

use super::Admin;

/// `GET /api/v1/plugins`: every file of the plugin directory, what it is, and
/// where it is used.
pub(super) fn plugins(admin: &Admin) -> Value {
    let snapshot = admin.current.load();
    let library = admin.status.library.load();
    let mut plugins: Vec<Value> = library
        .iter()
        .map(|(name, loaded)| {
            // What serves is what the snapshot holds, even if the file is broken by now.
            let serving = snapshot.plugins.iter().find(|plugin| plugin.name() == name);
            let mut view = match (serving, loaded) {
                (Some(plugin), _) | (None, Ok(plugin)) => plugin_view(plugin),
                (None, Err(_)) => json!({ "name": name }),
            };
            let quarantine = quarantine(&snapshot, name);
            view["state"] = match serving {
                _ if snapshot.missing.contains_key(name) => "missing".into(),
                Some(_) if quarantine["quarantined"] != 0 => "quarantined".into(),
                Some(_) => "serving".into(),
                None if loaded.is_ok() => "loaded".into(),
                None => "failed".into(),
            };
            view["quarantine"] = quarantine;
            view["slow"] = slow(&snapshot, name).into();
            view["error"] = loaded.as_ref().err().map(String::as_str).into();
            view["used_by"] = used_by(&snapshot.config, name).into();
            view["uses"] = uses(&snapshot.config, name).into();
            view
        })
        .collect();
    let in_library = |plugin: &str| library.iter().any(|(name, _)| name == plugin);
    let missing = (snapshot.missing.iter()).filter(|(plugin, _)| !in_library(plugin));
    plugins.extend(missing.map(|(plugin, why)| {
        let used_by = used_by(&snapshot.config, plugin);
        json!({ "name": plugin, "state": "missing", "error": why, "used_by": used_by })
    }));
    json!({ "generation": snapshot.generation, "plugins": plugins })
}

/// The quarantines of a plugin, those of all its configurations together.
fn quarantine(snapshot: &Snapshot, plugin: &str) -> Value {
    let now = Instant::now();
    let of = |quarantine: &&Quarantine| &**quarantine.plugin() == plugin;
    let all: Vec<_> = (snapshot.quarantines().filter(of))
        .map(|quarantine| quarantine.figures(now))
        .collect();
    let lasting = || all.iter().filter_map(|figures| figures.quarantined_for);
    json!({
        "configurations": all.len(),
        "quarantined": lasting().count(),
        "until": lasting().max().map(|longest| seconds(SystemTime::now() + longest)),
        "failures": all.iter().map(|figures| figures.failures).sum::<u64>(),
        "quarantines": all.iter().map(|figures| figures.quarantines).sum::<u64>(),
    })
}

/// How many configurations of a plugin take long, and are called aside.
fn slow(snapshot: &Snapshot, plugin: &str) -> usize {
    let of = |quarantine: &&Quarantine| &**quarantine.plugin() == plugin;
    let uses = snapshot.quarantines().filter(of);
    uses.filter(|of| of.tempo().is_slow()).count()
}

fn plugin_view(plugin: &Plugin) -> Value {
    let description = plugin.description();
    let schema = description.config_schema.as_deref();
    json!({
        "name": plugin.name(),
        "version": description.version,
        "summary": description.summary,
        "sha256": plugin.hash(),
        "bytes": plugin.size(),
        "hooks": plugin.hooks().names(),
        "imports": plugin.imports(),
        "capabilities": plugin.capabilities().into_iter().map(Capability::name).collect::<Vec<_>>(),
        "config_schema": schema.and_then(|text| serde_json::from_str::<Value>(text).ok()),
    })
}

fn used_by(config: &Config, plugin: &str) -> Vec<String> {
    let uses = |step: &Step| step.plugin == plugin;
    let routes = (config.routes.iter())
        .filter(|route| route.pipeline.iter().any(uses))
        .map(|route| format!("route {}", route.name));
    let services = (config.services.iter())
        .filter(|service| service.balancer.as_ref().is_some_and(uses))
        .map(|service| format!("service {}", service.name));
    routes.chain(services).collect()
}

/// What every use of a plugin is granted, and what it may use.
fn uses(config: &Config, plugin: &str) -> Vec<Value> {
    config
        .steps()
        .filter(|(.., step)| step.plugin == plugin)
        .map(|(kind, name, step)| {
            let mut view = step_view(step);
            view[kind] = name.into();
            view
        })
        .collect()
}

fn step_view(step: &Step) -> Value {
    json!({
        "plugin": step.plugin,
        "allow": step.allow.shown(),
        "limits": step.limits.shown(),
        "namespace": step.namespace,
    })
}

/// `GET /api/v1/routes`: in the order of the configuration.
pub(super) fn routes(admin: &Admin) -> Value {
    let snapshot = admin.current.load();
    let routes: Vec<Value> = (snapshot.config.routes.iter())
        .map(|route| {
            let mut view = route_view(route);
            view["missing"] = missing(&snapshot, route).into();
            view
        })
        .collect();
    json!({ "generation": snapshot.generation, "routes": routes })
}

/// The required filters of a route that are not there, so that it answers 503.
fn missing<'a>(snapshot: &Snapshot, route: &'a Route) -> Vec<&'a str> {
    let plugins = route.pipeline.iter().filter(|step| step.required);
    plugins
        .map(|step| step.plugin.as_str())
        .filter(|plugin| snapshot.missing.contains_key(*plugin))
        .collect()
}

/// `GET /ready` while new requests are welcome, with what cannot be served.
pub(super) fn ready(admin: &Admin) -> Value {
    let snapshot = admin.current.load();
    let missing: Vec<_> = snapshot.missing.keys().collect();
    match missing.is_empty() {
        true => json!({ "status": "serving" }),
        false => json!({ "status": "serving", "missing_plugins": missing }),
    }
}

fn route_view(route: &Route) -> Value {
    let matches = &route.matches;
    let methods: Vec<&str> = matches.methods.iter().map(|m| m.as_str()).collect();
    let headers: Vec<Value> = (matches.headers.iter())
        .map(|(name, value)| json!({ "name": name.as_str(), "value": value }))
        .collect();
    let query: Vec<Value> = (matches.query.iter())
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!({
        "name": route.name,
        "match": { "host": matches.host, "path": matches.path.as_ref().map(|path| path.as_str()), "methods": methods, "headers": headers, "query": query },
        "pipeline": route.pipeline.iter().map(|step| step.plugin.as_str()).collect::<Vec<_>>(),
        "filters": route.pipeline.iter().map(step_view).collect::<Vec<_>>(),
        "service": route.service,
        "timeout_ms": route.timeout.as_millis() as u64,
        "attempts": route.retries.attempts,
    })
}

/// `GET /api/v1/services`: with every instance's health and load.
pub(super) fn services(admin: &Admin) -> Value {
    let snapshot = admin.current.load();
    let services: Vec<Value> = (snapshot.config.services.iter())
        .filter_map(|service| {
            let running = admin.registry.service(&service.name)?;
            Some(json!({
                "name": service.name,
                "balancer": service.balancer.as_ref().map(|step| step.plugin.as_str()),
                "health_check": service.health_check.as_ref().map(|check| check.path.as_str()),
                "instances": instances(&running),
            }))
        })
        .collect();
    json!({ "generation": snapshot.generation, "services": services })
}

fn instances(service: &Service) -> Vec<Value> {
    let now = Instant::now();
    service
        .members()
        .iter()
        .map(|Member { instance, expires }| {
            let expires_in = expires.map(|at| at.saturating_duration_since(now).as_millis() as u64);
            json!({
                "id": instance.id,
                "address": instance.address.to_string(),
                "weight": instance.weight,
                "metadata": instance.metadata,
                "source": match instance.source { Source::File => "file", Source::Registered => "registered" },
                "healthy": instance.healthy(),
                "in_flight": instance.in_flight(),
                "latency_us": instance.latency_us(),
                "expires_in_ms": expires_in,
            })
        })
        .collect()
}

/// `GET /api/v1/config`: what is in force, secrets left out, and how the last
/// reload ended.
pub(super) fn config(admin: &Admin) -> Value {
    let snapshot = admin.current.load();
    let last = admin.status.last_reload.load();
    json!({
        "generation": snapshot.generation,
        "file": snapshot.config.file.display().to_string(),
        "last_reload": {
            "ok": last.error.is_none(),
            "error": last.error,
            "at": seconds(last.at),
        },
        "config": snapshot.config.redacted(),
    })
}

/// Seconds since the Unix epoch.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
