//! The plugin that does what it is told: `tests/guests/hostile`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock},
};

/// The plugin, built once. Its configuration is `"HOOK:DEED"`; with the deed
/// `as-asked` each request says in `x-deed` what to do.
pub(crate) fn hostile() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build(&[]))
}

/// The same, which also wants what a step has to allow: store and discovery.
pub(crate) fn wanting() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build(&["--features", "outside"]))
}

fn build(arguments: &[&str]) -> Vec<u8> {
    // Builds with other features have the same output: one at a time.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock();
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/guests/hostile");
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
    fs::read(target.join("wasm32-wasip2/release/hostile.wasm")).expect("the plugin was built")
}
