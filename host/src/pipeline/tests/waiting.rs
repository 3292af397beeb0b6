//! A slot of a plugin that waits: its instances, and what bounds them.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::plugin::{
    Configured, ConfiguredOptions, PluginErrorKind,
    tests::{
        harness::{exchange, options},
        pause,
    },
};

use super::super::Slot;

/// A slot of a plugin that waits for a minute in its request hook, and of which
/// so many calls may be at work.
fn slot(most: usize) -> (Arc<Configured>, Slot) {
    let wait = "(call $wait (i32.const 60000)) (i32.const 0)";
    let mut options = ConfiguredOptions {
        config: "{}".to_owned(),
        ..options("")
    };
    options.limits.instances = most;
    let plugin = pause::plugin(wait, "(i32.const 0)");
    let configured = Arc::new(Configured::new(plugin, options).unwrap());
    let first = configured.instantiate().unwrap();
    (Arc::clone(&configured), Slot::new(configured, first))
}

/// How many calls may still begin.
pub(super) fn room(configured: &Configured) -> usize {
    let mut rooms = Vec::new();
    while let Ok(room) = configured.admit() {
        rooms.push(room);
    }
    rooms.len()
}

/// A runtime for timers, entered.
fn timers() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

#[test]
fn a_thousand_calls_wait_at_once_and_no_more() {
    let (configured, slot) = slot(1_000);
    let runtime = timers();
    let _entered = runtime.enter();
    let waiting: Vec<_> = (0..1_000)
        .map(|number| {
            let mut lease = slot
                .lease()
                .unwrap_or_else(|error| panic!("{number}: {error}"));
            let mut call = Box::pin(async move {
                let mut exchange = exchange();
                lease.instance().on_request_waiting(&mut exchange).await
            });
            let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Pending));
            call
        })
        .collect();
    let error = slot.lease().map(drop).unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Busy);
    assert_eq!(error.message, "has its 1000 instances at once already");
    drop(waiting);
    assert_eq!(room(&configured), 1_000);
    assert_eq!(
        slot.idle(),
        0,
        "who was left in the midst of a call is no use"
    );
}

#[test]
fn calls_that_are_left_leave_nothing_behind() {
    let (configured, slot) = slot(2);
    let runtime = timers();
    let _entered = runtime.enter();
    for _ in 0..10_000 {
        let mut lease = slot.lease().unwrap();
        let mut exchange = exchange();
        let mut call = Box::pin(lease.instance().on_request_waiting(&mut exchange));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        drop(call);
        assert_eq!(&*exchange.host, "example.com");
    }
    assert_eq!((room(&configured), slot.idle()), (2, 0));
}

#[test]
fn a_few_idle_instances_are_kept_for_the_next_crowd() {
    let (_, slot) = slot(100);
    let crowd: Vec<_> = (0..50).map(|_| slot.lease().unwrap()).collect();
    assert_eq!(slot.idle(), 0);
    drop(crowd);
    assert_eq!(slot.idle(), 8);
}

#[test]
fn a_hook_that_does_not_wait_finds_an_instance_while_others_wait() {
    let (_, slot) = slot(100);
    let _waiting = slot.lease().unwrap();
    let outcome = crate::exchange::Outcome::default();
    slot.call(|instance| instance.on_completion(&mut exchange(), &outcome))
        .unwrap();
    assert_eq!(slot.idle(), 1);
}
