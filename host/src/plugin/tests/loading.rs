//! What is accepted as a plugin, and what it is refused for.

use std::{fs, sync::Arc, time::Duration};

use crate::{
    config::PluginLimits,
    plugin::{
        Capability, DescribedBy, Description, Runtime, RuntimeOptions, describe, description,
    },
};

use super::{bytes, harness::*};

#[test]
fn a_plugin_is_known_by_what_it_exports_and_imports() {
    let plugin = plugin();
    assert_eq!(plugin.name(), "hostile");
    assert_eq!(plugin.size(), hostile().len() as u64);
    assert_eq!(plugin.hash().len(), 64);
    let hooks = [
        "configuration",
        "metadata",
        "request",
        "response",
        "completion",
        "balancer",
    ];
    assert_eq!(plugin.hooks().names(), hooks);
    assert_eq!(plugin.description().summary, "Does what no plugin should");
    assert_eq!(plugin.description().version, "0.1.0");
    assert_eq!(
        plugin.description().config_schema.as_deref(),
        Some(r#"{"type":"string"}"#)
    );
    let imports = plugin.imports();
    assert!(
        imports
            .iter()
            .any(|name| name == "portcullis:gateway/exchange@0.1.0"),
        "{imports:?}"
    );
    assert!(
        imports
            .iter()
            .any(|name| name.starts_with("wasi:filesystem/types@0.2."))
    );
    let needs = plugin.capabilities();
    for capability in Capability::ALL {
        // It asks nobody.
        let expected = capability != Capability::Http;
        assert_eq!(needs.contains(&capability), expected, "{capability:?}");
    }
}

#[test]
fn what_is_no_plugin_is_refused_with_its_reason() {
    let truncated = &hostile()[..hostile().len() / 2];
    let damaged: Vec<u8> = hostile()
        .iter()
        .map(|byte| byte.wrapping_add(u8::from(*byte == 0x6a)))
        .collect();
    for (bytes, reason) in [
        (truncated, "malformed"),
        (&damaged, "malformed"),
        (
            &bytes::empty(),
            "exports none of the hooks of portcullis:gateway (request, response, completion, request-body, response-body, request-buffered, response-buffered, tick, balancer)",
        ),
        (
            &bytes::importing("acme:thing/api@1.0.0"),
            "imports what the gateway does not have: acme:thing/api@1.0.0",
        ),
        (
            &bytes::importing("portcullis:gateway/exchange@9.0.0"),
            "portcullis:gateway/exchange@9.0.0",
        ),
        (
            &bytes::exporting_nothing_in("portcullis:gateway/request@0.1.0"),
            "`request.on-request`",
        ),
        (
            &bytes::exporting_number("portcullis:gateway/request@0.1.0", "on-request"),
            "exports `request.on-request` with a wrong signature",
        ),
        (
            &bytes::exporting_nothing_in("portcullis:gateway/request@0.9.0"),
            "none of the hooks",
        ),
    ] {
        let error = runtime()
            .load("x", bytes)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}\n does not say: {reason}");
    }
}

#[test]
fn a_start_function_without_end_is_stopped() {
    let limits = PluginLimits {
        start_timeout: Duration::from_millis(200),
        ..PluginLimits::default()
    };
    let runtime = Runtime::new(RuntimeOptions {
        limits,
        ..RuntimeOptions::default()
    })
    .unwrap();
    let error = runtime
        .load("slow", &spinning_at_start())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("took longer than it may"), "{error}");
}

#[test]
fn equal_files_share_their_code() {
    let (a, b) = (
        runtime().load("a", hostile()).unwrap(),
        runtime().load("b", hostile()).unwrap(),
    );
    assert_eq!((a.name(), b.name()), ("a", "b"));
    assert!(std::ptr::eq(a.compiled(), b.compiled()));
}

#[test]
fn compiled_code_is_kept_and_damage_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("cache");
    let options = RuntimeOptions {
        cache: Some(directory.clone()),
        ..RuntimeOptions::default()
    };
    let load = || {
        let runtime = Runtime::new(options.clone()).unwrap();
        Arc::clone(&runtime.load("hostile", hostile()).unwrap())
    };
    let file = || {
        let mut files = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let file = files.next().expect("one file");
        assert_eq!(files.next(), None);
        file
    };
    load();
    let whole = fs::read(file()).unwrap();
    load();
    assert_eq!(fs::read(file()).unwrap(), whole);

    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(file(), &damaged).unwrap();
    assert_eq!(load().description().version, "0.1.0");
    assert_eq!(fs::read(file()).unwrap().len(), whole.len());
    assert!(
        fs::read(file()).unwrap() != damaged,
        "it was compiled again and written over"
    );
}

#[test]
fn a_file_that_describes_its_plugin_is_not_run() {
    let said = Description {
        summary: "never gets that far".into(),
        ..Description::default()
    };
    let mut bytes = spinning_at_start();
    description::append(&mut bytes, &said).unwrap();
    let plugin = runtime().load("slow", &bytes).unwrap();
    assert_eq!(plugin.description(), &said);
    assert_eq!(plugin.described_by(), DescribedBy::Section);
}

#[test]
fn what_a_plugin_says_is_the_same_inside_its_file() {
    assert_eq!(plugin().described_by(), DescribedBy::Export);
    let inside = describe(runtime(), "hostile", hostile()).unwrap().unwrap();
    let from_file = runtime().load("hostile", &inside).unwrap();
    assert_eq!(from_file.described_by(), DescribedBy::Section);
    assert_eq!(from_file.description(), plugin().description());
    assert_eq!(
        describe(runtime(), "hostile", &inside).unwrap(),
        Some(inside)
    );
}
