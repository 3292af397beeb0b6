//! Calls that end in another way than they should.

use super::super::tests::harness::{exchange, told};
use super::*;

#[test]
fn a_clock_that_jumps_is_not_held_against_a_plugin() {
    let mut instance = told("request:nothing");
    let on_request = instance.functions.on_request.expect("the hook is there");
    let called = instance.guarded(1_000, |store, _| {
        (0..1_000).for_each(|_| store.engine().increment_epoch());
        on_request.call(store, ())
    });
    assert!(called.is_ok());
}

#[test]
fn a_panic_of_the_gateway_itself_is_one_failed_call() {
    let mut instance = told("request:nothing");
    let error = instance.guarded(1_000, |_, _| -> wasmtime::Result<()> { panic!("planted") });
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::Trap);
    assert_eq!(error.message, "a host function panicked: planted");
    assert!(instance.poisoned() && instance.on_request(&mut exchange()).is_err());
}
