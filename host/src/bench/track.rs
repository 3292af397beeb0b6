//! The hooks that a request of a route comes through, in order.

use crate::observe::Hook;

use super::{Place, scene::Scene};

/// One hook of one plugin in one place: a line of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) plugin: String,
    pub(super) hook: Hook,
}

/// One call on a request's way, and the row that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    pub(super) row: usize,
    pub(super) call: Call,
}

/// What is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    /// A step's request hook.
    Request(usize),
    /// The balancer.
    Pick,
    /// A step's response hook.
    Response(usize),
    /// A step's completion hook.
    Completion(usize),
}

/// All of a route's rows, step by step, and the way through them.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) rows: Vec<Row>,
    pub(super) legs: Vec<Leg>,
}

impl Track {
    pub(super) fn of(scene: &Scene) -> Self {
        let rows = rows(scene);
        let legs = legs(&rows);
        Self { rows, legs }
    }
}

fn rows(scene: &Scene) -> Vec<Row> {
    let config = &scene.snapshot().config;
    let route = &config.routes[scene.index().0 as usize];
    let steps = scene.route().pipeline.steps.iter().enumerate();
    let mut rows = Vec::new();
    for (number, step) in steps {
        let hooks = [
            (step.hooks.request, Hook::Request),
            (step.hooks.response, Hook::Response),
            (step.hooks.completion, Hook::Completion),
        ];
        rows.extend(
            hooks
                .into_iter()
                .filter(|(has, _)| *has)
                .map(|(_, hook)| Row {
                    place: Place::Step(number),
                    plugin: route.pipeline[number].plugin.clone(),
                    hook,
                }),
        );
    }
    let service = (route.service.as_ref())
        .and_then(|name| config.services.iter().find(|service| service.name == *name));
    let plugin = match service {
        Some(service) => service.balancer.as_ref().map_or("in turn", |b| &b.plugin),
        None => "of the service",
    };
    rows.push(Row {
        place: Place::Balancer,
        plugin: plugin.to_owned(),
        hook: Hook::Pick,
    });
    rows
}

/// Forward over the request, back over the response and the outcome.
fn legs(rows: &[Row]) -> Vec<Leg> {
    let numbered = || rows.iter().enumerate();
    let leg = |(row, of): (usize, &Row)| {
        let call = match (of.place, of.hook) {
            (Place::Step(step), Hook::Request) => Call::Request(step),
            (Place::Step(step), Hook::Response) => Call::Response(step),
            (Place::Step(step), _) => Call::Completion(step),
            (Place::Balancer, _) => Call::Pick,
        };
        Leg { row, call }
    };
    let of = |hook: Hook| numbered().filter(move |(_, row)| row.hook == hook);
    let forward = of(Hook::Request).chain(of(Hook::Pick));
    let back = of(Hook::Response).rev().chain(of(Hook::Completion).rev());
    forward.chain(back).map(leg).collect()
}
