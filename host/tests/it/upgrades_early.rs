//! What a client sends behind a request that asks to change to another protocol, before
//! that is answered. Case 9.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use crate::support::{
    Scripted, Wire,
    websocket::{TEXT, accepted, frame, go_on, handshake, receive, start},
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn nothing_that_comes_behind_the_request_goes_upstream_before_101() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        if !head.contains("upgrade") {
            return wire.send(OK);
        }
        let silent = wire.is_silent_for(Duration::from_millis(300));
        go_on(&gone);
        assert!(silent, "bytes came before they were asked for");
        wire.send(accepted(&head));
        let message = receive(&mut wire).expect("a message");
        wire.send(frame(message.0, &message.1, None));
    });
    let gateway = start(&upstream, "");
    // What a browser never sends so early; also such that looks like a request.
    let plain = "GET /plain HTTP/1.1\r\nhost: a\r\n\r\n";
    for (before, message) in [
        ("", &b"early\r\n\r\n\0"[..]),
        ("", plain.as_bytes()),
        (plain, b"early\r\n\r\n\0"),
        (plain, plain.as_bytes()),
    ] {
        let mut wire = Wire::connect(gateway.address);
        let mut bytes = [before, &handshake("/chat", "")].concat().into_bytes();
        bytes.extend(frame(TEXT, message, Some([0; 4])));
        wire.send(bytes);
        if !before.is_empty() {
            assert_eq!(wire.reply().status, 200);
        }
        go.send(()).expect("the upstream waits");
        assert_eq!(wire.reply_head().status, 101);
        assert_eq!(receive(&mut wire), Some((TEXT, message.to_vec())));
        assert_eq!(wire.rest(), b"");
    }
    assert_eq!(upstream.connections(), 6);
}

#[test]
fn what_comes_behind_a_request_that_is_answered_200_is_the_next_request() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            noted.lock().expect("a lock").push(head);
            wire.send(OK);
        }
    });
    let gateway = start(&upstream, "");
    let next = "GET /next HTTP/1.1\r\nhost: a\r\n\r\n";
    // The first of several, and with one before it that has nothing to do with it.
    for first in ["", next] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("{first}{}{next}", handshake("/chat", "")));
        let replies = if first.is_empty() { 2 } else { 3 };
        for _ in 0..replies {
            let reply = wire.reply();
            assert_eq!((reply.status.as_u16(), &*reply.text()), (200, "ok"));
        }
        wire.send(next);
        assert_eq!(
            wire.reply().status,
            200,
            "it is a connection like any other"
        );
        let heads = std::mem::take(&mut *heads.lock().expect("a lock"));
        assert_eq!(heads.len(), replies + 1, "{heads:?}");
        let asking = heads.iter().filter(|head| head.contains("upgrade")).count();
        assert_eq!(asking, 1, "{heads:?}");
    }
    // What is no request is refused, and reaches nobody.
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        [
            handshake("/chat", "").as_bytes(),
            b"\x81\x05hello\n\r\n\r\n",
        ]
        .concat(),
    );
    assert_eq!(wire.reply().status, 200);
    assert_eq!(wire.reply().status, 400);
    wire.rest();
    assert_eq!(heads.lock().expect("a lock").len(), 1);
    assert_eq!(gateway.get("/healthy").text(), "ok");
}
