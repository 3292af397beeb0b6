//! The hostile plugins: those of the gateway's own tests.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, cargo, ensure_wasm_target, succeed};

/// All that are built of a package.
pub(crate) const PACKAGES: [&str; 3] = ["asking", "bodies", "hostile"];

const GUESTS: &str = "host/tests/guests";

/// The mark in the plugin that says its version, and another of the same length.
const VERSION: &[u8] = b"stamp-of-version-0000001";
const NEXT_VERSION: &[u8] = b"stamp-of-version-0000002";

/// The plugin that does what its configuration says, `HOOK:DEED`.
pub(crate) fn hostile() -> Result<Vec<u8>> {
    package("hostile")
}

/// The plugin of a package of that name.
pub(crate) fn package(name: &str) -> Result<Vec<u8>> {
    ensure_wasm_target()?;
    let target = std::path::absolute(workspace::target().join("guests"))?;
    let mut build = cargo(&["build", "--quiet", "--locked", "--release"]);
    build.args(["--target", "wasm32-wasip2", "--target-dir"]);
    build.arg(&target).current_dir(format!("{GUESTS}/{name}"));
    succeed(&mut build)?;
    let file = target.join(format!("wasm32-wasip2/release/{name}.wasm"));
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// A filter by hand.
pub(crate) fn raw(name: &str) -> Result<Vec<u8>> {
    let read = |name: &str| {
        let file = PathBuf::from(GUESTS).join(format!("raw/{name}.wat"));
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    let text = read("filter")?.replace("@MODULE@", &read(name)?);
    wat::parse_str(text).with_context(|| format!("{name}.wat is no WebAssembly"))
}

/// The next version of the plugin: the same, with another stamp.
pub(crate) fn next_version(plugin: &[u8]) -> Result<Vec<u8>> {
    let is_mark = |at: &usize| plugin[*at..].starts_with(VERSION);
    let places: Vec<_> = (0..plugin.len()).filter(is_mark).collect();
    ensure!(
        places.len() == 1,
        "the mark is in the plugin {} times",
        places.len()
    );
    let mut next = plugin.to_vec();
    next[places[0]..][..VERSION.len()].copy_from_slice(NEXT_VERSION);
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_version_differs_in_its_mark_alone() {
        let plugin = [b"ab", VERSION, b"cd"].concat();
        assert_eq!(
            next_version(&plugin).unwrap(),
            [b"ab", NEXT_VERSION, b"cd"].concat()
        );
        assert!(next_version(&[VERSION, VERSION].concat()).is_err());
        assert!(next_version(b"").is_err());
    }
}
