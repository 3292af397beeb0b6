//! SIGTERM: what is under way ends well, and nothing new begins.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Client, Gateway, Scripted, Upstream, Wire, eventually, one_route};

fn ended(gateway: &mut Gateway) -> Option<i32> {
    let mut code = None;
    eventually("the gateway ends", || {
        code = gateway.exit_code();
        code.is_some()
    });
    code
}

#[test]
fn requests_in_flight_finish_and_no_other_begins() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_secs(1));
    let mut gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    assert_eq!(gateway.admin("/ready").status, 200);
    let mut idle = Wire::connect(gateway.address);
    let address = gateway.address;
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| scope.spawn(move || Client::new(address).send("POST", "/a", &[], "x")))
            .collect();
        eventually("all are in flight", || upstream.hits() == 8);
        gateway.terminate();
        eventually("it is not ready", || gateway.admin("/ready").status == 503);
        assert_eq!(gateway.admin("/health").status, 200, "it is still alive");
        eventually("nobody gets in", || TcpStream::connect(address).is_err());
        assert_eq!(idle.rest(), b"", "who is idle is sent away");
        for client in clients {
            let reply = client.join().expect("an answer");
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("connection"), "close");
        }
    });
    assert_eq!(ended(&mut gateway), Some(0));
    assert_eq!(upstream.hits(), 8);
}

/// Each request on a connection of its own, until there is none to be had.
fn until_refused(gateway: &Gateway, served: &AtomicUsize) {
    while let Ok(stream) = TcpStream::connect(gateway.address) {
        let mut wire = Wire::of(stream);
        wire.send("GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        assert_eq!(wire.reply().status, 200);
        served.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn under_load_every_request_that_was_taken_is_answered() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_millis(5));
    let mut gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| until_refused(&gateway, &served));
        }
        eventually("there is load", || served.load(Ordering::SeqCst) >= 200);
        gateway.terminate();
    });
    assert_eq!(ended(&mut gateway), Some(0));
    assert_eq!(upstream.hits(), served.into_inner(), "one answer for each");
}

#[test]
fn kept_connections_are_told_to_close() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_millis(5));
    let mut gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = gateway.client();
                // Told to close, it finds nobody to connect to.
                while let Ok(reply) = client.try_send("GET", "/a", &[], "") {
                    assert_eq!(reply.status, 200);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        eventually("there is load", || served.load(Ordering::SeqCst) >= 200);
        gateway.terminate();
    });
    assert_eq!(ended(&mut gateway), Some(0));
    assert_eq!(upstream.hits(), served.into_inner(), "one answer for each");
}

#[test]
fn a_response_under_way_is_sent_to_its_end() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
        let gone = gone.lock().expect("a lock");
        gone.recv().expect("the test says when");
        wire.send("world");
    });
    let mut gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(wire.reply_head().status, 200);
    assert_eq!(wire.take(5), b"hello");
    gateway.terminate();
    eventually("it drains", || gateway.admin("/ready").status == 503);
    go.send(()).expect("the upstream waits");
    assert_eq!(wire.rest(), b"world");
    assert_eq!(ended(&mut gateway), Some(0));
}

#[test]
fn the_drain_timeout_is_the_longest_it_takes() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_secs(60));
    let route = one_route(&[upstream.address], "", "timeout: 60s");
    let mut gateway = Gateway::start(&[], &format!("limits: {{ drain_timeout: 200ms }}\n{route}"));
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is in flight", || upstream.hits() == 1);
    let started = Instant::now();
    gateway.terminate();
    assert_eq!(ended(&mut gateway), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5));
}
