//! Filters by hand: `tests/guests/raw`, for what no compiler makes.

use std::{fs, path::PathBuf};

/// The filter whose core module is in a file of that name.
#[track_caller]
pub(crate) fn raw(name: &str) -> Vec<u8> {
    component(&read(name))
}

/// The same, with one word of its text replaced.
#[track_caller]
pub(crate) fn raw_with(name: &str, word: &str, by: &str) -> Vec<u8> {
    component(&read(name).replace(word, by))
}

/// The filter of a core module, which is given as its fields in text.
#[track_caller]
pub(crate) fn component(module: &str) -> Vec<u8> {
    text(&read("filter").replace("@MODULE@", module))
}

/// Any component in text.
#[track_caller]
pub(crate) fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn read(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/guests/raw");
    let file = folder.join(format!("{name}.wat"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
