//! The plugin that asks whom its requests tell it to: `tests/guests/asking`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The plugin, built once. What it does is in the header `x-do`.
pub(crate) fn asking() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build("asking", &[]))
}

/// The same, that can do without asking anybody.
pub(crate) fn modest() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build("modest", &["--features", "modest"]))
}

/// Builds in a directory of its own for each form, so that they do not wait for
/// one another.
fn build(form: &str, arguments: &[&str]) -> Vec<u8> {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/guests/asking");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("../guests")
        .join(form);
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--target",
            "wasm32-wasip2",
        ])
        .args(arguments)
        .arg("--target-dir")
        .arg(&target)
        .current_dir(package)
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the test's plugin does not build");
    fs::read(target.join("wasm32-wasip2/release/asking.wasm")).expect("the plugin was built")
}
