//! Builds the plugins of this directory, for the tests of the library and of the
//! program alike.

use std::{env, fs, path::PathBuf, process::Command, sync::Mutex};

/// The component of a package here, in the form that these features give it.
///
/// # Panics
///
/// With what cargo said, if it does not build.
pub(crate) fn guest(package: &str, features: &[&str]) -> Vec<u8> {
    // Forms of one package have the same output: one at a time.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock();
    // Beside this test's own build: .../deps/NAME-HASH is three levels down.
    let test = env::current_exe().expect("a test knows its file");
    let target = test
        .ancestors()
        .nth(3)
        .expect("a target directory")
        .join("guests");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--release"])
        .args(["--target", "wasm32-wasip2", "--features"])
        .arg(features.join(","))
        .arg("--target-dir")
        .arg(&target)
        .current_dir(
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("tests/guests")
                .join(package),
        )
        .output()
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "the plugin `{package}` of the tests does not build: {}\n{}",
        built.status,
        String::from_utf8_lossy(&built.stderr),
    );
    fs::read(target.join(format!("wasm32-wasip2/release/{package}.wasm")))
        .expect("the plugin was built")
}
