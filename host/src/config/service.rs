//! Reader of the services and their health checks.

use std::{num::NonZeroU32, path::Path, time::Duration};

use http::uri::PathAndQuery;

use super::{
    HealthCheck, Protocol, Service,
    duration::duration,
    instance::instances,
    name,
    reader::Item,
    scalar,
    step::Steps,
    tls::{protocol, service_tls},
};

/// A map of names to services.
pub(super) fn services(item: &Item<'_>, base: &Path, steps: &Steps<'_>) -> Option<Vec<Service>> {
    let entries = item.entries("`NAME: { instances: [{ address: \"127.0.0.1:9001\" }] }`")?;
    let services = entries.into_iter().filter_map(|(entry, item)| {
        // A name that is none is noted; what the service holds is read all the same.
        let _ = name::checked(&item, entry.at, &entry.key);
        service(&item, entry.key.clone(), base, steps)
    });
    Some(services.collect())
}

fn service(item: &Item<'_>, name: String, base: &Path, steps: &Steps<'_>) -> Option<Service> {
    let fields = item.fields(&["instances", "balancer", "health_check", "tls", "protocol"])?;
    let tls = fields.read("tls", |item| service_tls(item, base));
    Some(Service {
        name,
        instances: fields.read("instances", instances).unwrap_or_default(),
        balancer: fields.read("balancer", |item| steps.balancer(item)),
        health_check: fields.read("health_check", health_check),
        protocol: fields.read_or("protocol", Protocol::default(), |item| {
            protocol(item, tls.is_some())
        }),
        tls,
        at: item.at(),
    })
}

fn health_check(item: &Item<'_>) -> Option<HealthCheck> {
    let fields = item.fields(&[
        "path",
        "interval",
        "timeout",
        "unhealthy_after",
        "healthy_after",
    ])?;
    let interval = fields.read_or("interval", Duration::from_secs(10), duration);
    let longest = interval.min(Duration::from_secs(1));
    let timeout = fields.read_or("timeout", longest, |item| {
        let timeout = duration(item)?;
        if timeout > interval {
            return item.mistake(
                "longer than the interval",
                "a check must end before the next one begins",
            );
        }
        Some(timeout)
    });
    let times = |key, default| fields.read_or(key, default, |item| scalar::positive(item, 1_000));
    let unhealthy_after = times("unhealthy_after", const { NonZeroU32::new(3).unwrap() });
    let healthy_after = times("healthy_after", const { NonZeroU32::new(2).unwrap() });
    Some(HealthCheck {
        path: fields.require("path", "/health", path)?,
        interval,
        timeout,
        unhealthy_after,
        healthy_after,
    })
}

fn path(item: &Item<'_>) -> Option<String> {
    let text = scalar::text(item)?;
    if text.starts_with('/') && PathAndQuery::try_from(text).is_ok() {
        return Some(text.to_owned());
    }
    item.mistake(
        format!("{} is not a path", item.shown(text)),
        "such as `/health`",
    )
}
