//! The plugin that does what it is told: `tests/guests/hostile`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

use super::{Gateway, lay_out, put};

/// The plugin, built once. Its configuration is `"HOOK:DEED"`; with the deed
/// `as-asked` each request says in `x-deed` what to do.
pub(crate) fn hostile() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("hostile", &[]))
}

/// Starts a gateway with these files in its plugin directory. `limits` are those
/// of plugins, in braces.
#[track_caller]
pub(crate) fn start_with_files(files: &[(&str, &[u8])], limits: &str, config: &str) -> Gateway {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
    let plugins = format!(
        "plugins: {{ cache: \"{}\", limits: {limits} }}\n",
        cache.display()
    );
    let directory = lay_out(&[], &format!("{plugins}{config}"));
    for (name, bytes) in files {
        put(
            bytes,
            &directory.path().join(format!("plugins/{name}.wasm")),
        );
    }
    Gateway::start_in(directory, &[])
}

/// The same, which also wants what a step has to allow: store and discovery.
pub(crate) fn wanting() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("hostile", &["--features", "outside"]))
}

/// Builds a plugin of `tests/guests`.
pub(super) fn guest(name: &str, arguments: &[&str]) -> Vec<u8> {
    // Builds with other features have the same output: one at a time.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock();
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/guests")
        .join(name);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2"])
        .args(arguments)
        .arg("--target-dir")
        .arg(&target)
        .current_dir(package)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the test's plugin does not build");
    let file = format!("wasm32-wasip2/release/{name}.wasm");
    fs::read(target.join(file)).expect("the plugin was built")
}
