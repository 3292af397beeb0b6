//! The plugin that does what it is told: `tests/guests/hostile`.

use std::{path::Path, sync::OnceLock};

use super::{Gateway, guests::guest, lay_out, put};

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
    BYTES.get_or_init(|| guest("hostile", &["outside"]))
}
