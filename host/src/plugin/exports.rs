//! What a plugin exports: which hooks, and the functions behind them.

use wasmtime::{
    Store,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc,
    },
};

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
    /// It picks instances.
    pub balancer: bool,
}

/// Which header fields a plugin can look at, by what it imports: those of
/// others need not be kept for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reads {
    /// Those of requests.
    pub request_head: bool,
    /// Those of responses.
    pub response_head: bool,
}

impl Hooks {
    /// Without those that a plugin says it has no use for.
    pub(super) fn without(self, skipped: Self) -> Self {
        Self {
            request: self.request && !skipped.request,
            response: self.response && !skipped.response,
            completion: self.completion && !skipped.completion,
            ..self
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
            (self.balancer, "balancer"),
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
    instances_changed: Option<ComponentExportIndex>,
    pick: Option<ComponentExportIndex>,
}

/// `describe`.
pub(super) type Describe = TypedFunc<(), (wit::Description,)>;
/// `configure`.
pub(super) type Configure = TypedFunc<(&'static str,), (Result<(), String>,)>;
/// `on-request` and `on-response`.
pub(super) type Decide = TypedFunc<(), (wit::Verdict,)>;
/// `on-completion`.
pub(super) type Complete = TypedFunc<(wit::Outcome,), ()>;
/// `instances-changed`.
pub(super) type InstancesChanged = TypedFunc<(&'static [wit::Instance],), ()>;
/// `pick`.
pub(super) type Pick = TypedFunc<(u32,), (Option<u32>,)>;

/// The exported functions of one instance: found once, called without a
/// look-up.
pub(super) struct Functions {
    pub(super) describe: Option<Describe>,
    pub(super) configure: Option<Configure>,
    pub(super) on_request: Option<Decide>,
    pub(super) on_response: Option<Decide>,
    pub(super) on_completion: Option<Complete>,
    pub(super) instances_changed: Option<InstancesChanged>,
    pub(super) pick: Option<Pick>,
}

/// The interfaces of which a plugin has to export at least one.
const HOOKS: [&str; 4] = ["request", "response", "completion", "balancer"];

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
        let exports = Self {
            describe: function("metadata", "describe")?,
            configure: function("configuration", "configure")?,
            on_request: function("request", "on-request")?,
            on_response: function("response", "on-response")?,
            on_completion: function("completion", "on-completion")?,
            instances_changed: function("balancer", "instances-changed")?,
            pick: function("balancer", "pick")?,
        };
        let hooks = exports.hooks();
        match hooks.request || hooks.response || hooks.completion || hooks.balancer {
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
            balancer: self.pick.is_some(),
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
            instances_changed: typed(
                store,
                instance,
                self.instances_changed,
                "balancer.instances-changed",
            )?,
            pick: typed(store, instance, self.pick, "balancer.pick")?,
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
