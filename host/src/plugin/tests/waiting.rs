//! Calls that wait: what they may, and what becomes of them when they are left.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    config::PluginLimits,
    exchange::Outcome,
    plugin::{Configured, ConfiguredOptions, Instance, PluginErrorKind as Kind, Verdict},
};

use super::{harness::*, pause};

/// Instructions that wait for so many milliseconds.
fn wait(milliseconds: u32) -> String {
    format!("(call $wait (i32.const {milliseconds}))")
}

/// Instructions that compute for some time; some 50 ms.
const COMPUTE: &str = "(call $spin (i32.const 40000000))";

const NEXT: &str = "(i32.const 0)";

fn configured_with(request: &str, change: impl FnOnce(&mut PluginLimits)) -> Configured {
    let mut options = ConfiguredOptions {
        config: "{}".to_owned(),
        ..options("")
    };
    change(&mut options.limits);
    let request = format!("{request} {NEXT}");
    let response = format!("{} {NEXT}", wait(1));
    Configured::new(pause::plugin(&request, &response), options).unwrap()
}

fn waiting(request: &str) -> Instance {
    configured_with(request, |_| {}).instantiate().unwrap()
}

/// Runs on one thread, as a worker does.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_plugin_waits_if_it_imports_what_waits() {
    assert!(waiting("").waits());
    assert!(!told("request:nothing").waits());
}

#[test]
fn a_hook_waits_and_goes_on() {
    let mut instance = waiting(&format!("{} (call $pass) {}", wait(1), wait(2)));
    for _ in 0..3 {
        let mut lent = exchange();
        let verdict = block_on(instance.on_request_waiting(&mut lent)).unwrap();
        assert_eq!(verdict, Verdict::Next);
        assert_eq!(&*lent.host, "example.com", "it is given back");
        block_on(instance.on_response_waiting(&mut answered())).unwrap();
    }
}

#[test]
fn others_are_served_while_a_plugin_waits() {
    block_on(async {
        let mut instances: Vec<Instance> = (0..100).map(|_| waiting(&wait(200))).collect();
        let started = Instant::now();
        let local = tokio::task::LocalSet::new();
        for mut instance in instances.drain(..) {
            local.spawn_local(async move {
                instance.on_request_waiting(&mut exchange()).await.unwrap();
            });
        }
        local.await;
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "one after another"
        );
    });
}

#[test]
fn only_computing_counts_against_the_deadline() {
    let time = |limits: &mut PluginLimits| limits.call_timeout = Duration::from_millis(40);
    let patient = configured_with(&wait(200), time);
    let mut instance = patient.instantiate().unwrap();
    block_on(instance.on_request_waiting(&mut exchange())).unwrap();

    let endless = "(loop $l (br $l))";
    for deed in [endless.to_owned(), format!("{}{endless}", wait(50))] {
        let endless = configured_with(&deed, time);
        let mut instance = endless.instantiate().unwrap();
        let error = block_on(instance.on_request_waiting(&mut exchange())).unwrap_err();
        assert_eq!(error.kind, Kind::Deadline, "{deed}");
        assert!(instance.poisoned());
    }
}

/// Waiting now and then does not give it more time.
#[test]
fn the_time_of_all_slices_counts_together() {
    let deed = format!("(loop $l (call $wait (i32.const 0)) {COMPUTE} (br $l))");
    let endless = configured_with(&deed, |limits| {
        limits.call_timeout = Duration::from_millis(400);
    });
    let mut instance = endless.instantiate().unwrap();
    let error = block_on(instance.on_request_waiting(&mut exchange())).unwrap_err();
    assert_eq!(error.kind, Kind::Deadline, "{error}");
}

#[test]
fn a_plugin_that_computes_lets_others_in_between() {
    block_on(async {
        let mut instance = waiting(COMPUTE);
        let mut lent = exchange();
        let mut ticks = 0;
        let others = async {
            loop {
                tokio::task::yield_now().await;
                ticks += 1;
            }
        };
        tokio::select! {
            biased;
            called = instance.on_request_waiting(&mut lent) => called.map(drop).unwrap(),
            () = others => {}
        }
        assert!(ticks > 5, "others came {ticks} times");
    });
}

#[test]
fn waiting_has_an_end() {
    let short = configured_with(&wait(60_000), |limits| {
        limits.wait_timeout = Duration::from_millis(30);
    });
    let mut instance = short.instantiate().unwrap();
    let mut lent = exchange();
    let error = block_on(instance.on_request_waiting(&mut lent)).unwrap_err();
    assert_eq!(error.kind, Kind::Timeout);
    assert_eq!(error.message, "waited for longer than it may (30ms)");
    assert_eq!(&*lent.host, "example.com");
    assert!(instance.poisoned());
}

#[test]
fn a_call_that_is_left_gives_the_exchange_back() {
    let mut instance = waiting(&wait(60_000));
    let mut lent = exchange();
    block_on(async {
        let mut call = Box::pin(instance.on_request_waiting(&mut lent));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
    });
    assert_eq!(&*lent.host, "example.com");
    assert!(instance.poisoned());
    let again = block_on(instance.on_request_waiting(&mut lent)).unwrap_err();
    assert_eq!(again.kind, Kind::Unavailable);
}

#[test]
fn a_trap_after_a_wait_is_one_failed_call() {
    let mut instance = waiting(&format!("{} unreachable", wait(1)));
    let mut lent = exchange();
    let error = block_on(instance.on_request_waiting(&mut lent)).unwrap_err();
    assert_eq!(error.kind, Kind::Trap);
    assert_eq!(&*lent.host, "example.com");
    assert!(instance.poisoned());
}

#[test]
fn where_a_plugin_may_not_wait_it_traps_with_a_reason() {
    let mut instance = waiting(&wait(1));
    let error = instance.on_request(&mut exchange()).unwrap_err();
    let said = "called `portcullis:gateway/pause#wait` in a hook that may not wait";
    assert!(error.message.contains(said), "{error}");
}

#[test]
fn a_plugin_that_may_wait_is_called_at_once_where_it_does_not() {
    let mut instance = waiting("");
    instance.on_request(&mut exchange()).unwrap();
    instance
        .on_completion(&mut exchange(), &Outcome::default())
        .unwrap();
}

#[test]
fn calls_that_wait_are_counted_against_host_calls() {
    let deed = "(loop $l (call $pass) (br $l))";
    let chatty = configured_with(deed, |limits| limits.host_calls = 500);
    let mut instance = chatty.instantiate().unwrap();
    let error = block_on(instance.on_request_waiting(&mut exchange())).unwrap_err();
    let said = "called the gateway more than 500 times in one hook";
    assert!(error.message.contains(said), "{error}");
}
