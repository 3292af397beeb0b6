//! Whatever a plugin does ends as an error of that one call.

use std::time::Instant;

use crate::plugin::PluginErrorKind as Kind;

use super::harness::*;

/// Has a fresh instance do it, and checks that the instance is done for, the
/// exchange is back, and the next instance works.
fn misbehave(hook: &str, deed: &str) -> crate::plugin::PluginError {
    let mut instance = told(&format!("{hook}:{deed}"));
    let mut exchange = if hook == "request" {
        exchange()
    } else {
        answered()
    };
    let error = call(&mut instance, hook, &mut exchange).expect_err(deed);
    assert_eq!(
        exchange.request_id.as_str(),
        "id-1",
        "the exchange came back"
    );
    assert!(exchange.answer.is_none());
    assert!(instance.poisoned(), "{deed}");
    let again = call(&mut instance, hook, &mut exchange).unwrap_err();
    assert!(
        again.message.contains("called again after it failed"),
        "{again}"
    );
    call(&mut told("no:deed"), hook, &mut exchange).unwrap();
    error
}

#[test]
fn an_endless_loop_is_stopped_in_every_hook() {
    for hook in ["request", "response", "completion", "instances", "pick"] {
        let mut instance = told(&format!("{hook}:spin"));
        let started = Instant::now();
        let error = call(&mut instance, hook, &mut answered()).unwrap_err();
        let took = started.elapsed();
        assert_eq!(error.kind, Kind::Deadline, "{error}");
        assert!(took >= CALL, "stopped early: {took:?}");
        // A loaded machine may be late; this only has to end.
        assert!(took < 10 * CALL, "stopped late: {took:?}");
    }
    for deed in ["spin", "spin-in-calls", "spin-in-copies"] {
        assert_eq!(misbehave("request", deed).kind, Kind::Deadline, "{deed}");
    }
}

#[test]
fn a_loop_in_configure_ends_at_the_start_timeout() {
    let mut options = options("configure:spin");
    options.limits.start_timeout = std::time::Duration::from_millis(200);
    let configured = crate::plugin::Configured::new(plugin(), options).unwrap();
    let error = configured.instantiate().map(drop).unwrap_err();
    assert_eq!(error.kind, Kind::Deadline);
    assert!(error.message.contains("200ms to start"), "{error}");
}

#[test]
fn a_deadline_is_for_each_call_and_not_for_a_life() {
    let mut instance = told("request:header");
    let end = Instant::now() + 2 * CALL;
    while Instant::now() < end {
        instance.on_request(&mut exchange()).unwrap();
    }
}

/// On a worker, in its event loop, where waiting would be a panic.
#[tokio::test]
async fn misuse_ends_in_a_trap_that_says_what_it_was() {
    for (deed, kind, reason) in [
        (
            "hog",
            Kind::Memory,
            "wants more than its 67108864 bytes of memory",
        ),
        ("recurse", Kind::Trap, "stack"),
        ("panic", Kind::Trap, "it was told to"),
        ("exit", Kind::Trap, "it called exit"),
        ("wait", Kind::Trap, "it waited"),
        ("keys", Kind::Trap, "resource table has no free keys"),
        ("random", Kind::Trap, "random bytes"),
        (
            "long-key",
            Kind::Trap,
            "a key has 257 bytes, the limit is 256",
        ),
        ("names", Kind::Trap, "256 header names"),
        ("digest", Kind::Trap, "2097152 bytes"),
        ("no-instance", Kind::Trap, "no balancer"),
        ("skip-response", Kind::Trap, "outside `configure`"),
        ("unheard", Kind::Trap, ""),
    ] {
        let error = misbehave("request", deed);
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert!(error.message.len() < 2_000, "{error}");
    }
}

#[test]
fn the_memory_of_one_instance_is_never_seen_by_another() {
    for _ in 0..20 {
        let mut exchange = exchange();
        let mut dirty = told("request:dirty");
        dirty.on_request(&mut exchange).unwrap();
        drop(dirty);
        told("request:scan").on_request(&mut exchange).unwrap();
        assert_eq!(found(&exchange), "false");
    }
}

#[test]
fn thousands_of_traps_leave_nothing_behind() {
    let configured = configured("request:panic");
    for _ in 0..12_000 {
        // One more than there are places, if any were lost.
        let mut instance = configured.instantiate().unwrap();
        instance.on_request(&mut exchange()).unwrap_err();
    }
}

#[test]
fn instances_are_called_from_many_threads_at_once() {
    let configured = configured("request:header");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let mut exchange = exchange();
                    let mut instance = configured.instantiate().unwrap();
                    instance.on_request(&mut exchange).unwrap();
                    assert_eq!(exchange.headers["x-out"], "value");
                }
            });
        }
    });
}
