//! What is told of failures, and what takes the place of an instance that failed.

use std::time::Duration;

use crate::plugin::{Configured, Instance, PluginError, PluginErrorKind as Kind};

use super::harness::*;

/// The error of a request that asks for a deed, on a fresh instance.
fn asked(configured: &Configured, deed: &'static str) -> PluginError {
    let mut instance = configured.instantiate().unwrap();
    let mut exchange = exchange();
    let deed = http::HeaderValue::from_static(deed);
    exchange.headers.insert("x-deed", deed);
    instance.on_request(&mut exchange).unwrap_err()
}

#[test]
fn each_way_to_fail_has_its_backtrace_once() {
    let configured = configured("request:as-asked");
    for (deed, kind, function) in [
        ("panic", Kind::Trap, "hostile::deeds::perform"),
        ("recurse", Kind::Trap, "hostile::deeds::recurse"),
        ("hog", Kind::Memory, "hostile::deeds::"),
        ("spin", Kind::Deadline, "hostile::deeds::"),
    ] {
        let error = asked(&configured, deed);
        assert_eq!(error.kind, kind, "{deed}");
        let backtrace = error.backtrace.expect("the first has a backtrace");
        assert!(backtrace.contains(function), "{deed}: {backtrace}");
        assert!(backtrace.lines().count() <= 21, "{deed}: {backtrace}");
        assert!(
            backtrace.len() < 21 * 220,
            "{deed}: {} bytes",
            backtrace.len()
        );
        assert_eq!(asked(&configured, deed).backtrace, None, "{deed} again");
    }
}

#[test]
fn failures_of_a_plugin_are_a_few_lines_a_second() {
    let configured = configured("request:panic");
    // At most two seconds have to do with it.
    let lines = (0..1_000).filter_map(|_| configured.failure_line());
    assert!((1..=10).contains(&lines.count()));
}

#[test]
fn a_worker_takes_the_spare_and_another_is_wished_for() {
    let options = options("request:count");
    let services = std::sync::Arc::clone(&options.services);
    let configured = Configured::new(plugin(), options).unwrap();
    configured.refill().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let wished = |limit: Duration| {
        let wish = services.faults.until_spare_taken();
        runtime.block_on(async { tokio::time::timeout(limit, wish).await.is_ok() })
    };
    assert!(!wished(Duration::ZERO), "nobody took it");
    let spare: Instance = configured.replacement().unwrap();
    assert!(!spare.poisoned());
    assert!(wished(Duration::from_secs(10)));
    // There is none now, and the worker makes its own.
    configured.replacement().unwrap();
}
