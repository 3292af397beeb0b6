//! The request's body goes along where that is configured.

use ext_auth::ExtAuth;
use portcullis_sdk::{Side, testing::*};

use crate::{question, step};

fn sends_body(gateway: &Gateway) -> ExtAuth {
    gateway.on_http(|request| match request.body() {
        b"good" => HttpResponse::new(200).header("x-user", "ann"),
        _ => HttpResponse::new(403).body("bad"),
    });
    step(
        gateway,
        json!({ "send_body": true, "headers_to_take": ["x-user"] }),
    )
}

#[test]
fn a_body_is_judged_once_it_is_whole() {
    let gateway = Gateway::new();
    let mut step = sends_body(&gateway);
    let request = Request::post("/")
        .header("content-length", "4")
        .header("content-type", "text/plain")
        .header("x-user", "admin");
    let exchange = gateway.exchange(request);
    assert_eq!(exchange.run_request(&mut step), Reply::Next);
    assert_eq!(gateway.http_requests(), [], "nothing is asked before");
    assert_eq!(
        exchange.request_header("x-user"),
        None,
        "and nothing believed"
    );

    let body = exchange.run_request_buffered(&mut step, "good");
    assert_eq!((&*body.text(), body.reply()), ("good", &Reply::Next));
    assert_eq!(exchange.request_header("x-user").as_deref(), Some("ann"));
    let asked = question(&gateway);
    assert_eq!((asked.method(), &*asked.body_text()), ("POST", "good"));
    assert_eq!(asked.header("content-type").as_deref(), Some("text/plain"));

    let body = exchange.run_request_buffered(&mut step, "evil");
    assert_eq!(body.answer().map(Answer::status), Some(403));
}

/// Where it is not certain that the body's hook will be called, a request must
/// not get by unasked.
#[test]
fn a_request_that_may_have_no_body_is_asked_about_at_once() {
    for request in [
        Request::get("/"),
        Request::post("/").header("content-length", "0"),
        Request::post("/").header("content-length", "00"),
        Request::post("/").header("content-length", "-1"),
        Request::post("/").header("content-length", ""),
        Request::post("/").header("transfer-encoding", "chunked"),
        Request::get("/")
            .header("content-length", "4")
            .header("upgrade", "websocket"),
    ] {
        let gateway = Gateway::new();
        let mut step = sends_body(&gateway);
        let reply = gateway.exchange(request.clone()).run_request(&mut step);
        assert_eq!(reply.answer().map(Answer::status), Some(403), "{request:?}");
    }
}

#[test]
fn without_it_no_body_is_held() {
    let gateway = Gateway::new();
    step(&gateway, json!({}));
    assert_eq!(gateway.skipped_bodies(), [Side::Request]);
    sends_body(&gateway);
    assert_eq!(gateway.skipped_bodies(), []);
}
