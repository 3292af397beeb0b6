//! What a plugin exports: which hooks, and the functions behind them.

use wasmtime::{
    Store,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc,
    },
};

use crate::{exchange::Side, observe::Hook};

use super::{LoadError, data::Data, wit};

/// What a plugin exports. What it does not is never called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hooks {
    /// It takes a configuration.
    pub configuration: bool,
    /// It describes itself.
    pub metadata: bool,
    /// It looks at requests.
    pub request: bool,
    /// It looks at responses.
    pub response: bool,
    /// It takes note of how exchanges end.
    pub completion: bool,
    /// It sees request bodies as they stream by.
    pub request_body: bool,
    /// It sees response bodies as they stream by.
    pub response_body: bool,
    /// It sees whole request bodies.
    pub request_buffered: bool,
    /// It sees whole response bodies.
    pub response_buffered: bool,
    /// It picks instances.
    pub balancer: bool,
    /// It does something before the first request.
    pub startup: bool,
    /// It does something now and again.
    pub tick: bool,
}

/// What a plugin can look at and change, by what it imports: what is not for
/// it need not be kept, or counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reads {
    /// Those of requests.
    pub request_head: bool,
    /// Those of responses.
    pub response_head: bool,
    /// It can change bodies.
    pub changes_bodies: bool,
}

impl Hooks {
    /// Without those that a plugin says it has no use for.
    pub(super) fn without(self, skipped: Self) -> Self {
        Self {
            request: self.request && !skipped.request,
            response: self.response && !skipped.response,
            completion: self.completion && !skipped.completion,
            request_body: self.request_body && !skipped.request_body,
            response_body: self.response_body && !skipped.response_body,
            request_buffered: self.request_buffered && !skipped.request_buffered,
            response_buffered: self.response_buffered && !skipped.response_buffered,
            ..self
        }
    }

    /// Whether it can stand in a pipeline.
    pub fn is_filter(&self) -> bool {
        self.request
            || self.response
            || self.completion
            || self.tick
            || self.sees_body(Side::Request)
            || self.sees_body(Side::Response)
    }

    /// Whether nothing is left of a request for it to see after a hook.
    pub fn end_with(&self, hook: Hook) -> bool {
        let bodies = self.sees_body(Side::Request) || self.sees_body(Side::Response);
        match hook {
            Hook::Request => !(self.response || self.completion || bodies),
            Hook::Response => !(self.completion || bodies),
            _ => false,
        }
    }

    /// Whether it sees bodies of a side, in whatever way.
    pub fn sees_body(&self, side: Side) -> bool {
        self.streams(side) || self.buffers(side)
    }

    /// Whether it sees bodies of a side as they stream by.
    pub fn streams(&self, side: Side) -> bool {
        match side {
            Side::Request => self.request_body,
            Side::Response => self.response_body,
        }
    }

    /// Whether it sees whole bodies of a side.
    pub fn buffers(&self, side: Side) -> bool {
        match side {
            Side::Request => self.request_buffered,
            Side::Response => self.response_buffered,
        }
    }

    /// The names of the interfaces it exports.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.configuration, "configuration"),
            (self.metadata, "metadata"),
            (self.request, "request"),
            (self.response, "response"),
            (self.completion, "completion"),
            (self.request_body, "request-body"),
            (self.response_body, "response-body"),
            (self.request_buffered, "request-buffered"),
            (self.response_buffered, "response-buffered"),
            (self.balancer, "balancer"),
            (self.startup, "startup"),
            (self.tick, "tick"),
        ];
        let exported = all
            .into_iter()
            .filter_map(|(exported, name)| exported.then_some(name));
        exported.collect()
    }
}

/// Where a component's exports are: looked up once per component.
pub(super) struct Exports {
    describe: Option<ComponentExportIndex>,
    configure: Option<ComponentExportIndex>,
    on_request: Option<ComponentExportIndex>,
    on_response: Option<ComponentExportIndex>,
    on_completion: Option<ComponentExportIndex>,
    bodies: [BodyExports; 2],
    instances_changed: Option<ComponentExportIndex>,
    pick: Option<ComponentExportIndex>,
    on_start: Option<ComponentExportIndex>,
    on_tick: Option<ComponentExportIndex>,
    optional: Option<ComponentExportIndex>,
}

/// Those of one side's bodies.
struct BodyExports {
    on_chunk: Option<ComponentExportIndex>,
    on_dropped: Option<ComponentExportIndex>,
    on_buffered: Option<ComponentExportIndex>,
}

/// `describe`.
pub(super) type Describe = TypedFunc<(), (wit::Description,)>;
/// `configure`.
pub(super) type Configure = TypedFunc<(&'static str,), (Result<(), String>,)>;
/// `on-request` and `on-response`.
pub(super) type Decide = TypedFunc<(), (wit::Verdict,)>;
/// `on-completion`.
pub(super) type Complete = TypedFunc<(wit::Outcome,), ()>;
/// `on-request-body` and `on-response-body`.
pub(super) type OnChunk = TypedFunc<(u64, u32, bool), (wit::ChunkVerdict,)>;
/// `on-request-body-dropped` and `on-response-body-dropped`.
pub(super) type OnDropped = TypedFunc<(u64,), ()>;
/// `on-request-buffered` and `on-response-buffered`.
pub(super) type OnBuffered = TypedFunc<(u32,), (wit::Verdict,)>;
/// `instances-changed`.
pub(super) type InstancesChanged = TypedFunc<(&'static [wit::Instance],), ()>;
/// `pick`.
pub(super) type Pick = TypedFunc<(u32,), (Option<u32>,)>;
/// `on-start`.
pub(super) type Start = TypedFunc<(), (Result<(), String>,)>;
/// `on-tick`.
pub(super) type Tick = TypedFunc<(), ()>;
/// `optional`.
pub(super) type Optional = TypedFunc<(), (Vec<String>,)>;

/// The exported functions of one instance: found once, called without a
/// look-up.
pub(super) struct Functions {
    pub(super) describe: Option<Describe>,
    pub(super) configure: Option<Configure>,
    pub(super) on_request: Option<Decide>,
    pub(super) on_response: Option<Decide>,
    pub(super) on_completion: Option<Complete>,
    /// By `Side`.
    pub(super) bodies: [BodyFunctions; 2],
    pub(super) instances_changed: Option<InstancesChanged>,
    pub(super) pick: Option<Pick>,
    pub(super) on_start: Option<Start>,
    pub(super) on_tick: Option<Tick>,
    pub(super) optional: Option<Optional>,
}

/// Those of one side's bodies.
pub(super) struct BodyFunctions {
    pub(super) on_chunk: Option<OnChunk>,
    pub(super) on_dropped: Option<OnDropped>,
    pub(super) on_buffered: Option<OnBuffered>,
}

/// The interfaces of which a plugin has to export at least one.
const HOOKS: [&str; 9] = [
    "request",
    "response",
    "completion",
    "request-body",
    "response-body",
    "request-buffered",
    "response-buffered",
    "tick",
    "balancer",
];

impl Exports {
    pub(super) fn of(component: &Component) -> Result<Self, LoadError> {
        let function = |interface: &str, function: &str| {
            let name = format!("portcullis:gateway/{interface}@0.1.0");
            let Some(instance) = component.get_export_index(None, &name) else {
                return Ok(None);
            };
            match component.get_export_index(Some(&instance), function) {
                Some(index) => Ok(Some(index)),
                None => Err(LoadError::Signature {
                    export: format!("{interface}.{function}"),
                    reason: "there is no such function in the exported interface".into(),
                }),
            }
        };
        let bodies = |side: &str| {
            let streamed = format!("{side}-body");
            let buffered = format!("{side}-buffered");
            Ok(BodyExports {
                on_chunk: function(&streamed, &format!("on-{streamed}"))?,
                on_dropped: function(&streamed, &format!("on-{streamed}-dropped"))?,
                on_buffered: function(&buffered, &format!("on-{buffered}"))?,
            })
        };
        let exports = Self {
            describe: function("metadata", "describe")?,
            configure: function("configuration", "configure")?,
            on_request: function("request", "on-request")?,
            on_response: function("response", "on-response")?,
            on_completion: function("completion", "on-completion")?,
            bodies: [bodies("request")?, bodies("response")?],
            instances_changed: function("balancer", "instances-changed")?,
            pick: function("balancer", "pick")?,
            on_start: function("startup", "on-start")?,
            on_tick: function("tick", "on-tick")?,
            optional: function("capabilities", "optional")?,
        };
        let hooks = exports.hooks();
        match hooks.is_filter() || hooks.balancer {
            true => Ok(exports),
            false => Err(LoadError::NoHook {
                expected: HOOKS.to_vec(),
            }),
        }
    }

    pub(super) fn hooks(&self) -> Hooks {
        Hooks {
            configuration: self.configure.is_some(),
            metadata: self.describe.is_some(),
            request: self.on_request.is_some(),
            response: self.on_response.is_some(),
            completion: self.on_completion.is_some(),
            request_body: self.bodies[0].on_chunk.is_some(),
            response_body: self.bodies[1].on_chunk.is_some(),
            request_buffered: self.bodies[0].on_buffered.is_some(),
            response_buffered: self.bodies[1].on_buffered.is_some(),
            balancer: self.pick.is_some(),
            startup: self.on_start.is_some(),
            tick: self.on_tick.is_some(),
        }
    }

    /// The functions of an instance. Fails where a signature is not the
    /// interface's.
    pub(super) fn functions(
        &self,
        store: &mut Store<Data>,
        instance: &Instance,
    ) -> Result<Functions, LoadError> {
        Ok(Functions {
            describe: typed(store, instance, self.describe, "metadata.describe")?,
            configure: typed(store, instance, self.configure, "configuration.configure")?,
            on_request: typed(store, instance, self.on_request, "request.on-request")?,
            on_response: typed(store, instance, self.on_response, "response.on-response")?,
            on_completion: typed(
                store,
                instance,
                self.on_completion,
                "completion.on-completion",
            )?,
            bodies: [
                self.bodies[0].functions(store, instance, "request")?,
                self.bodies[1].functions(store, instance, "response")?,
            ],
            instances_changed: typed(
                store,
                instance,
                self.instances_changed,
                "balancer.instances-changed",
            )?,
            pick: typed(store, instance, self.pick, "balancer.pick")?,
            on_start: typed(store, instance, self.on_start, "startup.on-start")?,
            on_tick: typed(store, instance, self.on_tick, "tick.on-tick")?,
            optional: typed(store, instance, self.optional, "capabilities.optional")?,
        })
    }
}

impl BodyExports {
    fn functions(
        &self,
        store: &mut Store<Data>,
        instance: &Instance,
        side: &str,
    ) -> Result<BodyFunctions, LoadError> {
        let streamed = format!("{side}-body.on-{side}-body");
        let dropped = format!("{streamed}-dropped");
        let buffered = format!("{side}-buffered.on-{side}-buffered");
        Ok(BodyFunctions {
            on_chunk: typed(store, instance, self.on_chunk, &streamed)?,
            on_dropped: typed(store, instance, self.on_dropped, &dropped)?,
            on_buffered: typed(store, instance, self.on_buffered, &buffered)?,
        })
    }
}

fn typed<P, R>(
    store: &mut Store<Data>,
    instance: &Instance,
    index: Option<ComponentExportIndex>,
    export: &str,
) -> Result<Option<TypedFunc<P, R>>, LoadError>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let Some(index) = index else {
        return Ok(None);
    };
    match instance.get_typed_func(store, index) {
        Ok(function) => Ok(Some(function)),
        Err(error) => Err(LoadError::Signature {
            export: export.to_owned(),
            reason: format!("{error:#}"),
        }),
    }
}

#[cfg(test)]
mod tests;
