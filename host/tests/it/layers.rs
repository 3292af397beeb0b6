//! Holds the code to ARCHITECTURE.md: who may use whom, and the form of files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each module of the host may use of the others.
const MAY_USE: [(&str, &[&str]); 25] = [
    (
        "admin",
        &["config", "discovery", "observe", "plugin", "snapshot"],
    ),
    (
        "bench",
        &[
            "config",
            "discovery",
            "exchange",
            "forwarding",
            "observe",
            "pipeline",
            "plugin",
            "respond",
            "router",
            "snapshot",
            "state",
        ],
    ),
    ("body", &["config", "exchange", "respond"]),
    ("config", &["exchange", "router"]),
    (
        "connection",
        &[
            "body",
            "config",
            "exchange",
            "forwarding",
            "observe",
            "proxy",
            "respond",
            "tls",
            "worker",
        ],
    ),
    ("crypto", &[]),
    ("discovery", &["config", "tls", "upstream"]),
    ("exchange", &[]),
    ("forwarding", &["config", "exchange"]),
    (
        "gateway",
        &[
            "admin",
            "config",
            "connection",
            "discovery",
            "listener",
            "observe",
            "outbound",
            "plugin",
            "snapshot",
            "state",
            "upstream",
            "worker",
        ],
    ),
    ("inspect", &["plugin"]),
    ("lib", &[]),
    ("listener", &["connection", "worker"]),
    ("main", &[]),
    ("observe", &[]),
    (
        "outbound",
        &[
            "body",
            "config",
            "discovery",
            "exchange",
            "forwarding",
            "observe",
            "tls",
            "upstream",
        ],
    ),
    (
        "pipeline",
        &[
            "config",
            "discovery",
            "exchange",
            "observe",
            "plugin",
            "respond",
        ],
    ),
    (
        "plugin",
        &[
            "config",
            "crypto",
            "discovery",
            "exchange",
            "forwarding",
            "observe",
            "outbound",
            "state",
        ],
    ),
    (
        "proxy",
        &[
            "body",
            "config",
            "discovery",
            "exchange",
            "forwarding",
            "observe",
            "pipeline",
            "respond",
            "router",
            "snapshot",
            "upstream",
            "worker",
        ],
    ),
    ("respond", &["exchange"]),
    ("router", &["config", "exchange"]),
    (
        "snapshot",
        &[
            "config",
            "discovery",
            "exchange",
            "observe",
            "outbound",
            "pipeline",
            "plugin",
            "router",
            "tls",
        ],
    ),
    ("state", &[]),
    ("tls", &["config", "exchange"]),
    (
        "upstream",
        &["body", "config", "exchange", "observe", "respond", "tls"],
    ),
];

/// Worker is where a thread's parts come together, between listener and proxy.
const WORKER_MAY_USE: &[&str] = &[
    "body",
    "config",
    "connection",
    "discovery",
    "exchange",
    "observe",
    "outbound",
    "pipeline",
    "router",
    "snapshot",
    "upstream",
];

/// Crates and parts of the standard library, and the only modules that name them.
const ONLY: [(&str, &[&str]); 13] = [
    ("wasmparser", &["plugin"]),
    ("x509_cert", &["tls"]),
    ("wasmtime", &["plugin"]),
    ("wasmtime_wasi", &["plugin"]),
    (
        "hyper",
        &["admin", "body", "connection", "proxy", "upstream"],
    ),
    ("hyper_util", &["admin", "connection", "upstream"]),
    ("httparse", &["bench"]),
    ("rustls", &["tls"]),
    ("rustls_native_certs", &["tls"]),
    ("tokio_rustls", &["connection", "upstream"]),
    ("tokio_util", &["connection", "upstream"]),
    ("rustix", &["bench", "plugin"]),
    ("serde", &["admin", "config"]),
];

/// JSON is read and written here only.
const JSON: &[&str] = &["admin", "bench", "config", "crypto", "inspect", "plugin"];

/// What does input and output, and so has no place in the router.
const IO: [&str; 5] = ["std::net", "std::fs", "std::io", "std::process", "tokio"];

const LONGEST_FILE: usize = 400;

/// One file of the host, and the module that it belongs to.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

impl Source {
    /// The code alone: without comments, and without tests, which come last.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code
            .lines()
            .map(|line| line.split("//").next().unwrap_or_default());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn is_test(&self) -> bool {
        let parts = self.path.components();
        let names = parts.filter_map(|part| part.as_os_str().to_str());
        let mut names = names.map(|name| name.trim_end_matches(".rs"));
        names.any(|name| ["tests", "stress", "vectors", "proof"].contains(&name))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a file");
                let path = path.strip_prefix(&root).expect("below it").to_owned();
                let first = path.iter().next().and_then(|first| first.to_str());
                let module = first.expect("a name").trim_end_matches(".rs").to_owned();
                found.push(Source { path, module, text });
            }
        }
    }
    assert!(found.len() > 50, "the sources are elsewhere");
    found
}

/// The modules that code names after `crate::`, also in groups.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (_, rest) in code
        .match_indices("crate::")
        .map(|(at, mark)| (at, &code[at + mark.len()..]))
    {
        match rest.strip_prefix('{') {
            Some(group) => used.extend(names_of_group(group)),
            None => used.extend(first_name(rest)),
        }
    }
    used
}

fn first_name(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// The first name of every item of `a::{b, c}, d}`.
fn names_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(first_name(std::mem::take(&mut item).trim())),
            _ if depth == 0 => item.push(character),
            _ => {}
        }
    }
    names.extend(first_name(item.trim()));
    names
}

/// True if code names a crate or path as a whole word.
fn names(code: &str, path: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        !before.is_some_and(|c| word(c) || c == ':') && !after.is_some_and(word)
    })
}

#[test]
fn modules_use_only_what_the_architecture_allows() {
    let mut allowed: BTreeMap<&str, &[&str]> = MAY_USE.into();
    allowed.insert("worker", WORKER_MAY_USE);
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let may = allowed.get(source.module.as_str());
        for name in used(&source.code()) {
            let known = allowed.contains_key(name.as_str()) && name != source.module;
            if known && !may.is_some_and(|may| may.contains(&name.as_str())) {
                wrong.push(format!("{} uses {name}", source.path.display()));
            }
        }
        if may.is_none() {
            wrong.push(format!(
                "{} is in no module of the map",
                source.path.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_are_named_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let code = source.code();
        let only = ONLY.into_iter().chain([("serde_json", JSON)]);
        for (name, by) in only {
            if names(&code, name) && !by.contains(&source.module.as_str()) {
                wrong.push(format!("{} names {name}", source.path.display()));
            }
        }
        for io in IO.into_iter().filter(|_| source.module == "router") {
            if names(&code, io) {
                wrong.push(format!("{} names {io}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not open with //!", source.path.display()));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE && !source.is_test() {
            wrong.push(format!("{} has {lines} lines", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_this_test_reads_rightly() {
    let code = "use crate::{\n    a::{x, y::z},\n    b,\n    c::d,\n};\nlet e = crate::f::g();";
    let expected = ["a", "b", "c", "f"].map(str::to_owned);
    assert_eq!(used(code), expected.into());
    assert!(names("use serde::Deserialize;", "serde"));
    assert!(!names("use serde_json::Value; my::serde", "serde"));
}
