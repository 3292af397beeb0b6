//! Tunnels: who stops whom, and how they end.

use std::{
    sync::{Mutex, mpsc},
    time::{Duration, Instant},
};

use crate::support::{
    Scripted, eventually,
    websocket::{accepted, echo, exchange, figure, go_on, open, start},
};

#[test]
fn whoever_reads_slowly_stops_the_other_side() {
    const LENGTH: usize = 64 << 20;
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        go_on(&gone);
        assert!(wire.take(LENGTH).iter().all(|byte| *byte == 1));
        let bytes = vec![2; LENGTH];
        let sent = wire.send_until_stalled(&bytes, Duration::from_millis(500));
        assert!(sent < LENGTH, "the gateway took all that nobody reads");
        wire.send(&bytes[sent..]);
    });
    let gateway = start(&upstream, "");
    let before = figure(&gateway, "tunnels ");
    assert_eq!(before, 0.0);
    let resident = || {
        gateway
            .metric("process_resident_memory_bytes ")
            .expect("a figure")
    };
    let before = resident();
    let mut wire = open(&gateway);
    let bytes = vec![1; LENGTH];
    let sent = wire.send_until_stalled(&bytes, Duration::from_millis(500));
    assert!(sent < LENGTH, "the gateway took all that nobody reads");
    go.send(()).expect("the upstream waits");
    wire.send(&bytes[sent..]);
    let moved = || {
        figure(
            &gateway,
            "tunnel_bytes_total{route=\"r\",direction=\"out\"} ",
        )
    };
    eventually("it comes back", || moved() > 0.0);
    let grown = resident() - before;
    assert!(grown < f64::from(4 << 20), "{grown} bytes more");
    assert!(wire.take(LENGTH).iter().all(|byte| *byte == 2));
    assert_eq!(wire.rest(), b"");
}

#[test]
fn each_side_ends_by_itself() {
    let upstream = Scripted::start(|mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        // To the client's end, and then still has something to say.
        let sent = wire.rest();
        wire.send(sent);
        wire.send(" and bye");
    });
    let gateway = start(&upstream, "");
    let mut wire = open(&gateway);
    wire.send("hello");
    wire.finish();
    assert_eq!(wire.rest(), b"hello and bye");
    eventually("it is over", || {
        figure(&gateway, "tunnels{route=\"r\"} ") == 0.0
    });

    let (told, hear) = mpsc::channel();
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        wire.send(accepted(&head));
        wire.send("hello");
        wire.finish();
        told.send(wire.rest()).expect("the test listens");
    });
    let gateway = start(&upstream, "");
    let mut wire = open(&gateway);
    assert_eq!(wire.rest(), b"hello");
    wire.send("bye");
    drop(wire);
    let patience = Duration::from_secs(10);
    assert_eq!(hear.recv_timeout(patience), Ok(b"bye".to_vec()));
}

#[test]
fn who_says_nothing_for_too_long_is_let_go() {
    let upstream = Scripted::start(echo);
    let gateway = start(&upstream, "limits: { tunnel_idle_timeout: 400ms }\n");
    let mut wire = open(&gateway);
    // Several times as long as may be, but never without a byte for so long.
    let begun = Instant::now();
    let mut last = begun;
    while begun.elapsed() < Duration::from_millis(1_200) {
        last = Instant::now();
        exchange(&mut wire, b"still here");
        assert!(wire.is_silent_for(Duration::from_millis(100)));
    }
    assert_eq!(wire.rest(), b"", "closed, without a word");
    let elapsed = last.elapsed();
    assert!(elapsed >= Duration::from_millis(350), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    eventually("the service is let go, too", || {
        figure(&gateway, "upstream_connections ") == 0.0
    });
}

#[test]
fn a_drain_lets_tunnels_go_on_until_its_time_is_over() {
    for (limit, leaves) in [("drain_timeout: 60s", true), ("drain_timeout: 1s", false)] {
        let upstream = Scripted::start(echo);
        let mut gateway = start(&upstream, &format!("limits: {{ {limit} }}\n"));
        let mut wire = open(&gateway);
        exchange(&mut wire, b"before");
        gateway.terminate();
        eventually("it drains", || gateway.admin("/ready").status == 503);
        exchange(&mut wire, b"meanwhile");
        if leaves {
            drop(wire);
        } else {
            assert_eq!(wire.rest(), b"", "cut off at the end of its time");
        }
        eventually("the gateway ends", || gateway.exit_code() == Some(0));
    }
}
