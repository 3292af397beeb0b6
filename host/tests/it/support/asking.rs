//! The plugin that asks whom its requests tell it to: `tests/guests/asking`.

use std::sync::OnceLock;

use super::guests::guest;

/// The plugin, built once. What it does is in the header `x-do`.
pub(crate) fn asking() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("asking", &[]))
}

/// The same, that can do without asking anybody.
pub(crate) fn modest() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| guest("asking", &["modest"]))
}
