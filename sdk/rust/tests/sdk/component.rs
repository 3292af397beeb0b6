//! A plugin's component exports the hooks that its author wrote and imports
//! what it calls, and nothing else: built for real from `examples/hello-filter`, and
//! from plugins that ask others, see bodies, start and tick.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use wasmparser::{Parser, Payload};

#[test]
fn a_component_has_the_hooks_that_were_written_and_no_others() {
    let (imports, exports) = built("examples/hello-filter", "hello_filter");
    assert_eq!(
        exports,
        ["configuration", "metadata", "request", "response"]
    );
    // `log` is there for failures and `verdicts` is but a type; `counters`,
    // `crypto` and the other capabilities are not called and must be gone.
    assert_eq!(imports, ["exchange", "log", "verdicts"]);
}

#[test]
fn a_plugin_that_asks_others_imports_what_that_takes() {
    let (imports, exports) = built("plugins/ext-auth", "ext_auth");
    assert_eq!(
        exports,
        ["configuration", "metadata", "request", "request-buffered"]
    );
    for needed in ["body", "crypto", "http"] {
        assert!(imports.iter().any(|name| name == needed), "{imports:?}");
    }
    assert!(!imports.iter().any(|name| name == "store"), "{imports:?}");

    let (_, exports) = built("plugins/jwt-auth", "jwt_auth");
    let expected = [
        "capabilities",
        "configuration",
        "metadata",
        "request",
        "startup",
        "tick",
    ];
    assert_eq!(exports, expected);
}

/// What the component of a package imports and exports.
fn built(package: &str, file: &str) -> (Vec<String>, Vec<String>) {
    interface(&std::fs::read(build(package, file)).expect("it was built"))
}

/// Builds a package as the README of the example says, with the workspace's
/// artifacts.
fn build(package: &str, file: &str) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(package)
        .join("Cargo.toml");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it lies in the target directory");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--profile",
            "plugin",
            "--target",
            "wasm32-wasip2",
        ])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .status()
        .expect("cargo runs");
    assert!(
        status.success(),
        "`rustup target add wasm32-wasip2` may be missing"
    );
    target.join(format!("wasm32-wasip2/plugin/{file}.wasm"))
}

/// The names of the gateway's interfaces that a component imports and exports.
fn interface(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.expect("the component is well-formed") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(
                    section
                        .into_iter()
                        .filter_map(|import| ours(import.expect("well-formed").name.name)),
                );
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(
                    section
                        .into_iter()
                        .filter_map(|export| ours(export.expect("well-formed").name.name)),
                );
            }
            _ => {}
        }
    }
    (imports.into_iter().collect(), exports.into_iter().collect())
}

/// `request` of `portcullis:gateway/request@0.1.0`.
fn ours(name: &str) -> Option<String> {
    let (interface, _version) = name.strip_prefix("portcullis:gateway/")?.split_once('@')?;
    Some(interface.to_owned())
}
