//! A slot of a plugin that takes long.

use std::{
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    exchange::Outcome,
    plugin::{
        Configured, ConfiguredOptions, PluginErrorKind,
        tests::{
            harness::{exchange, options},
            pause,
        },
    },
};

use super::super::{Slot, aside::Whose};

/// Computes for tens of milliseconds; the call has as long as it likes.
const LONG: &str = "(call $spin (i32.const 100000000))";

/// Long in the first call of an instance, which says that it failed; short in
/// all others.
const LONG_AT_FIRST: &str = "(if (result i32) (i32.eq (global.get $calls) (i32.const 1))
    (then (call $spin (i32.const 100000000)) (i32.const 2))
    (else (i32.const 0)))";

const MINUTE: Duration = Duration::from_secs(60);

fn slot(request: &str) -> (Arc<Configured>, Slot) {
    slot_with(request, MINUTE)
}

fn slot_with(request: &str, wait_timeout: Duration) -> (Arc<Configured>, Slot) {
    let mut options = ConfiguredOptions {
        config: "{}".to_owned(),
        ..options("")
    };
    options.limits.call_timeout = MINUTE;
    options.limits.wait_timeout = wait_timeout;
    options.limits.queue = 3;
    // A use of its own, of which nobody else knows whether it is slow.
    let plugin = pause::computing_plugin(request, "(i32.const 0)", "");
    let configured = Arc::new(Configured::new(plugin, options).unwrap());
    let first = configured.instantiate().unwrap();
    (Arc::clone(&configured), Slot::new(configured, first))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn who_computes_for_long_is_slow_and_who_does_not_is_not() {
    let long = format!("{LONG} (i32.const 0)");
    let (_, slow) = slot(&long);
    assert!(!slow.is_slow());
    slow.call(|instance| instance.on_request(&mut exchange()))
        .unwrap();
    assert!(slow.is_slow());

    let (_, quick) = slot("(i32.const 0)");
    for _ in 0..20_000 {
        quick
            .call(|instance| instance.on_request(&mut exchange()))
            .unwrap();
    }
    assert!(!quick.is_slow());
}

#[test]
fn a_thread_that_does_not_run_makes_nobody_slow() {
    let (_, stalled) = slot("(call $stall (i32.const 50)) (i32.const 0)");
    stalled
        .call(|instance| instance.on_request(&mut exchange()))
        .unwrap();
    assert!(!stalled.is_slow());
}

#[test]
fn the_instance_goes_aside_and_comes_back_when_it_is_quick_again() {
    let (_, slot) = slot(LONG_AT_FIRST);
    let first = slot.call(|instance| instance.on_request(&mut exchange()));
    assert_eq!(first.unwrap_err().kind, PluginErrorKind::Fail);
    let mut calls = 0;
    block_on(async {
        while slot.is_slow() {
            let mut lent = exchange();
            let call = slot.call_aside(Whose::slot(), &mut lent, |instance, exchange| {
                exchange.set_note(7);
                instance.on_request(exchange)
            });
            let (own, called) = call.await;
            called.expect("the same instance, which fails at first only");
            assert!(own.is_none());
            assert_eq!(lent.note(), 7, "it comes back as the call has left it");
            calls += 1;
        }
    });
    assert_eq!(calls, 1_000);
    assert_eq!(slot.idle(), 0, "it is aside");
    slot.call(|instance| instance.on_request(&mut exchange()))
        .unwrap();
    assert_eq!(slot.idle(), 1);
}

#[test]
fn the_instance_of_one_request_goes_along_with_it() {
    let (configured, slot) = slot(LONG_AT_FIRST);
    block_on(async {
        let whose = Whose::request(None);
        let mut lent = exchange();
        let call = slot.call_aside(whose, &mut lent, |i, exchange| i.on_request(exchange));
        let (own, called) = call.await;
        assert_eq!(called.unwrap_err().kind, PluginErrorKind::Fail);
        assert!(own.is_some());
        let call = slot.call_aside(Whose::request(own), &mut lent, |i, exchange| {
            i.on_request(exchange)
        });
        let (own, called) = call.await;
        called.expect("it was called before");
        let most = configured.limits().instances;
        assert_eq!(super::waiting::room(&configured), most - 1);
        drop(own);
        assert_eq!(super::waiting::room(&configured), most);
    });
}

/// A slot whose line stands still until the sender says or is dropped.
fn held_up(wait_timeout: Duration) -> (Slot, mpsc::Sender<()>) {
    let (_, slot) = slot_with("(i32.const 0)", wait_timeout);
    let (go, gone) = mpsc::channel::<()>();
    let wait = move |_: &mut _, _: &mut _| {
        // Either way it goes on.
        let _ = gone.recv();
        Ok(())
    };
    slot.leave_aside(Whose::slot(), exchange(), wait, |_, _| {})
        .unwrap();
    (slot, go)
}

#[test]
fn who_leaves_keeps_the_exchange_and_his_call_is_not_made() {
    let (slot, go) = held_up(MINUTE);
    let (send, receive) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let mut lent = exchange();
    let sender = send.clone();
    let mut left = Box::pin(slot.call_aside(Whose::slot(), &mut lent, move |_, _| {
        sender.send("left").unwrap();
        Ok(())
    }));
    let polled = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending));
    drop(left);
    assert_eq!(&*lent.host, "example.com");
    let stayed = move |_: &mut _, _: &mut _| {
        send.send("stayed").unwrap();
        Ok(())
    };
    slot.leave_aside(Whose::slot(), exchange(), stayed, |_, _| {})
        .unwrap();
    go.send(()).unwrap();
    let called: Vec<&str> = receive.iter().collect();
    assert_eq!(called, ["stayed"]);
}

#[test]
fn a_line_has_an_end() {
    let (slot, _go) = held_up(MINUTE);
    let join = || slot.leave_aside(Whose::slot(), exchange(), |_, _| Ok(()), |_, _| {});
    join().unwrap();
    join().unwrap();
    let error = join().unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Busy);
    assert_eq!(
        error.message,
        "takes long, and has 3 calls waiting for their turn already"
    );
    let mut lent = exchange();
    let call = slot.call_aside(Whose::slot(), &mut lent, |_, _| Ok(()));
    let (_, called) = block_on(call);
    assert_eq!(called.unwrap_err().kind, PluginErrorKind::Busy);
    assert_eq!(&*lent.host, "example.com");
}

#[test]
fn who_has_waited_for_long_enough_is_told() {
    let (slot, _go) = held_up(Duration::from_millis(30));
    let mut lent = exchange();
    let call = slot.call_aside(Whose::slot(), &mut lent, |_, _| Ok(()));
    let (_, called) = block_on(call);
    let error = called.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Timeout);
    assert_eq!(error.message, "waited for longer than it may (30ms)");
    assert_eq!(&*lent.host, "example.com");
}

#[test]
fn a_call_that_fails_aside_costs_its_instance_alone() {
    let (_, slot) = slot("unreachable");
    for _ in 0..3 {
        let mut lent = exchange();
        let call = slot.call_aside(Whose::slot(), &mut lent, |instance, exchange| {
            instance.on_request(exchange)
        });
        let (_, called) = block_on(call);
        assert_eq!(called.unwrap_err().kind, PluginErrorKind::Trap);
    }
    let (send, receive) = mpsc::channel();
    let outcome = Outcome::default();
    slot.leave_aside(
        Whose::slot(),
        exchange(),
        move |instance, exchange| instance.on_completion(exchange, &outcome),
        move |_, result| send.send(result).unwrap(),
    )
    .unwrap();
    receive.recv().unwrap().expect("with a fresh instance");
}
