//! Resolves a component's imports with what its step grants.

use wasmtime::{
    Engine, Result, bail,
    component::{
        self, Component, InstancePre, LinkerInstance, ResourceType, Val,
        types::{ComponentInstance, ComponentItem},
    },
};

use crate::config::Capability;

use super::{
    capability::{Grants, Import},
    crossing::Counting,
    data::Data,
    exports::Reads,
    host,
    linker::Linker,
};

/// The imports of which a component calls something: one that it has for the
/// sake of a type gives it nothing.
pub(super) fn called(engine: &Engine, component: &Component) -> Vec<String> {
    let calls = |item: &ComponentItem| match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, export)| matches!(export.ty, ComponentItem::ComponentFunc(_))),
        _ => true,
    };
    let ty = component.component_type();
    ty.imports(engine)
        .filter(|(_, import)| calls(&import.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// The names of a component's imports, in its own order.
pub(super) fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    let ty = component.component_type();
    ty.imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Interfaces in any version that links.
const EXCHANGE: &str = "portcullis:gateway/exchange@";
const BODY: &str = "portcullis:gateway/body@";

/// What a component can look at and change. A function that a plugin never calls
/// is not among its imports: its linker drops it.
pub(super) fn reads(engine: &Engine, component: &Component) -> Reads {
    let ty = component.component_type();
    // A trace goes along with its own requests.
    let asks = ty
        .imports(engine)
        .any(|(name, _)| needed(name) == Some(Capability::Http));
    let imports = |interface: &str, functions: &[&str]| {
        ty.imports(engine).any(|(name, import)| match import.ty {
            ComponentItem::ComponentInstance(instance) if name.starts_with(interface) => instance
                .exports(engine)
                .any(|(function, _)| functions.contains(&function)),
            _ => false,
        })
    };
    Reads {
        request_head: asks
            || imports(
                EXCHANGE,
                &[
                    "request-header",
                    "request-headers",
                    "request-header-values",
                    "all-request-headers",
                ],
            ),
        response_head: imports(
            EXCHANGE,
            &[
                "response-header",
                "response-header-values",
                "all-response-headers",
            ],
        ),
        changes_bodies: imports(BODY, &["write", "set-trailer", "remove-trailer"]),
    }
}

/// The capability that an import needs.
pub(super) fn needed(import: &str) -> Option<Capability> {
    match Import::of(import) {
        Import::Needs(capability) => Some(capability),
        Import::Always | Import::Absent | Import::Unknown => None,
    }
}

/// Imports that are not in a set of grants, and what they need.
pub(super) fn ungranted(called: &[String], grants: Grants) -> Vec<(String, Capability)> {
    let missing = |name: &String| {
        let capability = needed(name).filter(|capability| !grants.has(*capability))?;
        Some((name.clone(), capability))
    };
    called.iter().filter_map(missing).collect()
}

/// A component with its imports resolved.
#[derive(Clone)]
pub(super) struct Linked {
    pub(super) pre: InstancePre<Data>,
    /// True if one of the imports may wait: then its instances are called on
    /// stacks of their own, which can be left and come back to.
    pub(super) waits: bool,
}

/// Links a component to what is granted.
pub(super) fn link(component: &Component, grants: Grants, counting: Counting) -> Result<Linked> {
    let mut linker = Linker::new(component.engine(), counting);
    host::exchange::link(&mut linker)?;
    host::body::link(&mut linker)?;
    host::hooks::link(&mut linker)?;
    host::balancing::link(&mut linker)?;
    host::wasi::link(&mut linker)?;
    #[cfg(test)]
    super::tests::pause::link(&mut linker)?;
    // For those that can do without; others are refused before.
    if !grants.has(Capability::Http) {
        host::http::link_denied(&mut linker)?;
    }
    if !grants.has(Capability::Store) {
        host::store::link_denied(&mut linker)?;
    }
    for capability in Capability::ALL {
        if grants.has(capability) {
            match capability {
                Capability::Counters => host::counters::link(&mut linker)?,
                Capability::Store => host::store::link(&mut linker)?,
                Capability::Discovery => host::discovery::link(&mut linker)?,
                Capability::Http => host::http::link(&mut linker)?,
                Capability::Crypto => host::crypto::link(&mut linker)?,
                Capability::Log => host::log::link(&mut linker)?,
                Capability::Metrics => host::metrics::link(&mut linker)?,
                Capability::Clock => host::wasi_clocks::link(&mut linker)?,
                Capability::Random => host::wasi_random::link(&mut linker)?,
            }
        }
    }
    link_absent(&mut linker.inner, component)?;
    Ok(Linked {
        pre: linker.inner.instantiate_pre(component)?,
        waits: waits(component, &linker),
    })
}

/// Whether a component imports a function that may wait.
fn waits(component: &Component, linker: &Linker) -> bool {
    let engine = component.engine();
    let ty = component.component_type();
    ty.imports(engine).any(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(function, _)| linker.waits(name, function)),
        _ => false,
    })
}

/// Resolves WASI interfaces that give nothing: their functions trap or refuse
/// when they are called, so that a standard library that merely mentions files
/// or sockets loads.
fn link_absent(linker: &mut component::Linker<Data>, component: &Component) -> Result<()> {
    let engine = component.engine().clone();
    let ty = component.component_type();
    // Resource types that an earlier import has introduced: an interface that
    // uses them mentions them again, and defines nothing.
    let mut known: Vec<ResourceType> = Vec::new();
    for (name, import) in ty.imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = &import.ty else {
            continue;
        };
        let mentioned: Vec<ResourceType> = resources(&engine, instance);
        if Import::of(name) == Import::Absent {
            let mut target = linker.instance(name)?;
            for (item, export) in instance.exports(&engine) {
                match &export.ty {
                    ComponentItem::ComponentFunc(_) => absent_function(&mut target, name, item)?,
                    ComponentItem::Resource(resource) if !known.contains(resource) => {
                        target.resource(item, ResourceType::host::<Absent>(), |_, _| Ok(()))?;
                    }
                    _ => {}
                }
            }
        }
        known.extend(mentioned);
    }
    Ok(())
}

/// A resource that no plugin ever holds.
struct Absent;

fn resources(engine: &Engine, instance: &ComponentInstance) -> Vec<ResourceType> {
    let of = |item| match item {
        ComponentItem::Resource(resource) => Some(resource),
        _ => None,
    };
    instance
        .exports(engine)
        .filter_map(|(_, export)| of(export.ty))
        .collect()
}

/// A function of an interface that gives nothing. Where its type allows to say
/// so, it does; else it traps.
fn absent_function(target: &mut LinkerInstance<'_, Data>, import: &str, name: &str) -> Result<()> {
    let answer: fn() -> Option<Val> = match name {
        "get-directories" => || Some(Val::List(Vec::new())),
        "create-tcp-socket" | "create-udp-socket" => || {
            Some(Val::Result(Err(Some(Box::new(Val::Enum(
                "access-denied".into(),
            ))))))
        },
        "filesystem-error-code" => || Some(Val::Option(None)),
        _ => || None,
    };
    let shown = format!("{import}#{name}");
    target.func_new(name, move |_, _, _, results| match (answer(), results) {
        (Some(value), [result]) => {
            *result = value;
            Ok(())
        }
        _ => bail!("`{shown}` was called, which gives plugins nothing"),
    })
}
