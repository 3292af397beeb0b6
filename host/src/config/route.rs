//! Reader of the routes.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{
    Match, Position, Retries, Route,
    duration::duration,
    matching::matching,
    name::name,
    reader::{Fields, Item},
    retries::retries,
    route_limits::route_limits,
    scalar,
    step::Steps,
    suggest,
    upgrades::upgrades,
};

const TIMEOUT: Duration = Duration::from_secs(15);

/// A route as far as it could be read.
pub(super) struct ReadRoute {
    pub(super) route: Route,
    /// False if `route.matches` stands in for something that cannot be read.
    pub(super) match_known: bool,
}

/// A list of routes, no name twice, whose services are among those of `steps`.
pub(super) fn routes(item: &Item<'_>, steps: &Steps<'_>) -> Option<Vec<ReadRoute>> {
    let mut names = HashMap::new();
    item.list_of("`- name: …`", |item| route(item, steps, &mut names))
}

/// The names of all services in the file, also of those with mistakes in them:
/// a route that names one of these is not wrong as well.
pub(super) struct Services<'a> {
    in_order: Vec<&'a str>,
    known: HashSet<&'a str>,
}

impl<'a> Services<'a> {
    pub(super) fn new(in_order: Vec<&'a str>) -> Self {
        let known = in_order.iter().copied().collect();
        Self { in_order, known }
    }

    /// A name that is among them; else notes the mistake in `item`.
    pub(super) fn known(&self, item: &Item<'_>, name: &str) -> Option<String> {
        if self.known.contains(name) {
            return Some(name.to_owned());
        }
        item.mistake(
            format!("there is no service {}", item.shown(name)),
            suggest::hint(name, self.in_order.iter().copied()),
        )
    }
}

fn route(
    item: &Item<'_>,
    steps: &Steps<'_>,
    names: &mut HashMap<String, Position>,
) -> Option<ReadRoute> {
    let fields = item.fields(&[
        "name", "match", "pipeline", "service", "timeout", "retries", "upgrades", "limits",
    ])?;
    let name = fields.require("name", "NAME", |item| unique(item, names));
    let matches = match fields.get("match") {
        Some(item) => matching(&item),
        None => Some(Match::default()),
    };
    let pipeline = fields.read("pipeline", |item| {
        item.list_of("`- plugin: NAME`", |item| steps.step(item))
    });
    let timeout = fields.read_or("timeout", TIMEOUT, duration);
    let retries = fields.read_or("retries", Retries::default(), |item| retries(item, timeout));
    let service = service(item, &fields, steps.services);
    let upgrades = fields.read("upgrades", upgrades);
    let limits = fields.read("limits", route_limits);
    Some(ReadRoute {
        match_known: matches.is_some(),
        route: Route {
            name: name.unwrap_or_else(|| item.key.clone()),
            matches: matches.unwrap_or_default(),
            pipeline: pipeline.unwrap_or_default(),
            service,
            timeout,
            retries,
            upgrades: upgrades.unwrap_or_default(),
            limits: limits.unwrap_or_default(),
            at: item.at(),
        },
    })
}

fn unique(item: &Item<'_>, names: &mut HashMap<String, Position>) -> Option<String> {
    let name = name(item)?;
    let first = *names.entry(name.clone()).or_insert(item.at());
    if first == item.at() {
        return Some(name);
    }
    item.mistake(
        format!("a route named `{name}` is there already"),
        format!("the first is at {first}; give each a name of its own"),
    )
}

fn service(item: &Item<'_>, fields: &Fields<'_>, services: &Services<'_>) -> Option<String> {
    let Some(service) = fields.get("service") else {
        if fields.get("pipeline").is_none() {
            return item.mistake(
                "leads nowhere: neither a service nor a pipeline",
                "add `service: NAME`, or a filter that answers or chooses a service",
            );
        }
        return None;
    };
    services.known(&service, scalar::text(&service)?)
}
