//! A component that was accepted: compiled, its imports known, its exports
//! found. Shared by all plugins of the same content.

use std::sync::{Mutex, PoisonError};

use wasmtime::{Engine, Precompiled, component::Component};

use super::{
    LoadError,
    capability::{Grants, Import},
    crossing::Counting,
    exports::{Exports, Reads},
    link::{self, Linked},
};

/// A component that was accepted.
pub(super) struct Compiled {
    pub(super) component: Component,
    pub(super) imports: Vec<String>,
    /// Those of the imports of which it calls something.
    pub(super) called: Vec<String>,
    pub(super) exports: Exports,
    pub(super) reads: Reads,
    /// Whether the runtime counts.
    pub(super) counting: Counting,
    /// Linked forms by what is granted. Few: most steps grant all.
    linked: Mutex<Vec<(Grants, Linked)>>,
}

impl Compiled {
    /// Checks what a component imports and exports.
    pub(super) fn new(component: Component, counting: Counting) -> Result<Self, LoadError> {
        let imports = link::imports(component.engine(), &component);
        let unknown = |name: &&String| Import::of(name) == Import::Unknown;
        let unknown: Vec<String> = imports.iter().filter(unknown).cloned().collect();
        if !unknown.is_empty() {
            return Err(LoadError::UnknownImports(unknown));
        }
        Ok(Self {
            exports: Exports::of(&component)?,
            called: link::called(component.engine(), &component),
            reads: link::reads(component.engine(), &component),
            counting,
            component,
            imports,
            linked: Mutex::default(),
        })
    }

    /// Linked to what is granted; linked once per set of grants.
    pub(super) fn linked(&self, grants: Grants) -> wasmtime::Result<Linked> {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = linked.iter().find(|(of, _)| *of == grants) {
            return Ok(known.clone());
        }
        let new = link::link(&self.component, grants, self.counting)?;
        linked.push((grants, new.clone()));
        Ok(new)
    }
}

/// Says what bytes are not a component, before the compiler sees them.
pub(super) fn recognise(bytes: &[u8], limit: usize) -> Result<(), LoadError> {
    if bytes.len() > limit {
        return Err(LoadError::TooLarge {
            size: bytes.len() as u64,
            limit: limit as u64,
        });
    }
    if bytes.is_empty() {
        return Err(LoadError::Empty);
    }
    let precompiled = matches!(
        Engine::detect_precompiled(bytes),
        Some(Precompiled::Component | Precompiled::Module)
    );
    match bytes {
        _ if precompiled || bytes.starts_with(b"\x7fELF") => Err(LoadError::Precompiled),
        // "\0asm", then a version and a layer of two bytes each: layer 0 is a
        // core module, layer 1 a component.
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(LoadError::CoreModule),
        [0, b'a', b's', b'm', ..] => Err(LoadError::Malformed("the header is incomplete".into())),
        _ => Err(LoadError::NotWasm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_refused_with_its_reason() {
        for (bytes, reason) in [
            (&b""[..], "is empty"),
            (b"#!/bin/sh", "not WebAssembly"),
            (b"\0asm\x01\0\0\0", "is a core module"),
            (b"\0asm", "malformed"),
            (b"\x7fELF\x02\x01\x01\xc8", "precompiled"),
            (&[0; 101], "the limit is 100"),
        ] {
            let error = recognise(bytes, 100).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(recognise(b"\0asm\x0d\0\x01\0", 100).is_ok());
    }
}
