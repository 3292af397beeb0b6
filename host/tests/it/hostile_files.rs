//! Files in the plugin directory that are no plugins: cases 45 and 46 of
//! `hostile.rs`.

use std::{
    fs::{self, File},
    path::Path,
};

use crate::support::{
    Gateway, Load, Upstream, component, eventually, hostile, one_route, plugin_bytes, put, raw,
    start_with_files, text,
};

/// A gateway with one plugin that lets everything pass.
fn gateway(upstream: &Upstream) -> Gateway {
    let step = "pipeline: [{ plugin: filter }]";
    let config = one_route(&[upstream.address], "", step);
    start_with_files(&[("filter", &raw("nothing"))], "{}", &config)
}

/// Puts a file in place of the plugin that runs; gives the reason for which it
/// is refused. What ran must still run.
#[track_caller]
fn refusal(gateway: &Gateway, what: &str, place: impl FnOnce(&Path)) -> String {
    let before = gateway.refused_reloads();
    place(&gateway.plugins().join("filter.wasm"));
    eventually(what, || gateway.refused_reloads() > before);
    let error = gateway.last_reload()["error"].as_str().map(str::to_owned);
    assert_eq!(gateway.get("/a").status, 200, "{what}");
    assert_eq!(gateway.generation(), 1, "{what}");
    error.expect("a reason")
}

/// Machine code as Wasmtime itself would load it.
fn precompiled() -> Vec<u8> {
    let engine = wasmtime::Engine::default();
    engine
        .precompile_component(&raw("nothing"))
        .expect("a component")
}

/// Something like a plugin, larger than any may be, that takes no place on the disk.
fn large(file: &Path) {
    let new = file.with_extension("new");
    put(&raw("nothing"), &new);
    let sparse = File::options().write(true).open(&new).expect("a file");
    sparse.set_len(100 << 20).expect("a file");
    fs::rename(new, file).expect("a file is renamed");
}

/// Case 46.
#[test]
fn a_file_that_is_no_plugin_is_refused_and_what_ran_runs_on() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    let load = Load::start(gateway.address, 2, "/a", |reply| reply.status == 200);
    let whole = plugin_bytes("headers");
    let mut damaged = raw("nothing");
    let middle = damaged.len() / 2;
    damaged[middle..].fill(0x6a);
    for (what, bytes, reason) in [
        ("malformed", damaged, "malformed"),
        ("truncated", whole[..whole.len() / 3].to_vec(), "malformed"),
        (
            "a core module",
            b"\0asm\x01\0\0\0".to_vec(),
            "is a core module",
        ),
        ("machine code", precompiled(), "is precompiled machine code"),
        (
            "a program",
            b"\x7fELF\x02\x01\x01\0".to_vec(),
            "machine code",
        ),
        ("no WebAssembly", vec![0xff; 4096], "is not WebAssembly"),
        (
            "a table of a million",
            wide("(table 1000000 funcref)"),
            "cannot be used",
        ),
        ("memory of 1 GiB", wide("(memory 16384)"), "cannot be used"),
        (
            "a hundred memories",
            wide(&"(memory 1)".repeat(100)),
            "cannot be used",
        ),
    ] {
        let said = refusal(&gateway, what, |file| put(&bytes, file));
        assert!(
            said.contains("filter.wasm cannot be used: "),
            "{what}: {said}"
        );
        assert!(said.contains(reason), "{what}: {said}");
    }
    let said = refusal(&gateway, "100 MiB", large);
    assert!(said.contains("has 104857600 bytes, the limit is"), "{said}");
    let (answered, failures) = load.stop();
    assert!(failures.is_empty(), "of {answered}: {failures:?}");

    // And a good one is taken again.
    put(hostile(), &gateway.plugins().join("other.wasm"));
    put(
        &plugin_bytes("headers"),
        &gateway.plugins().join("filter.wasm"),
    );
    eventually("a good one is live", || gateway.generation() > 1);
    assert_eq!(gateway.get("/a").status, 200);
}

/// A filter that has more to begin with.
fn wide(more: &str) -> Vec<u8> {
    component(&format!(
        "{more} (func (export \"run\") (result i32) (i32.const 0))"
    ))
}

/// Case 45.
#[test]
fn an_import_that_does_not_exist_is_refused_by_name() {
    let upstream = Upstream::start("a");
    let gateway = gateway(&upstream);
    for import in [
        "acme:vault/secrets@1.0.0",
        "portcullis:gateway/sockets@0.1.0",
        "portcullis:gateway/exchange@7.0.0",
        "wasi:sockets/tcp@0.3.0",
    ] {
        let bytes = text(&format!("(component (import \"{import}\" (instance)))"));
        let said = refusal(&gateway, import, |file| put(&bytes, file));
        assert!(
            said.contains("imports what the gateway does not have"),
            "{said}"
        );
        assert!(said.contains(import), "{said}");
    }
}
