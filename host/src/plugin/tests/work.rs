//! What instances count of what they do, in a runtime that counts.

use crate::plugin::{Configured, Runtime, RuntimeOptions, Work};

use super::harness::*;

/// The work of one request that has `x-in: value`.
fn work(counts_work: bool, deed: &str) -> Work {
    let runtime = Runtime::new(RuntimeOptions {
        counts_work,
        ..RuntimeOptions::default()
    })
    .unwrap();
    let plugin = runtime.load("hostile", hostile()).unwrap();
    let mut instance = Configured::new(plugin, options(deed))
        .unwrap()
        .instantiate()
        .unwrap();
    let before = instance.work();
    instance.on_request(&mut exchange()).unwrap();
    instance.work().since(before)
}

#[test]
fn calls_of_the_gateway_and_their_bytes_are_counted() {
    let nothing = work(true, "request:nothing");
    assert!(nothing.instructions > 0);
    assert_eq!(nothing.host_calls, 0);
    let header = work(true, "request:header");
    assert!(header.instructions > nothing.instructions);
    // `x-in` is asked for and its value comes; `x-out` goes with the value, and
    // the result is what is said of a refusal: nothing.
    assert_eq!(header.host_calls, 2);
    assert_eq!(header.bytes_to_host, 4 + 5 + 5);
    assert_eq!(header.bytes_to_plugin, 5);
    assert_eq!(work(true, "request:header"), header, "it is the same again");
}

#[test]
fn calls_of_wasi_are_counted() {
    let world = work(true, "request:world");
    assert!(world.host_calls > 1, "{world:?}");
}

#[test]
fn a_runtime_that_serves_counts_nothing() {
    assert_eq!(work(false, "request:header"), Work::default());
}
