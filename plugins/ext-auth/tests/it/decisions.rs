//! What is asked, and what becomes of a request by the answer.

use std::time::Duration;

use portcullis_sdk::{http::Error, testing::*};

use crate::{question, run, step};

fn ask(request: Request, answer: HttpResponse) -> (Gateway, TestExchange, Reply) {
    run(json!({ "headers_to_take": ["x-user"] }), request, answer)
}

#[test]
fn the_service_is_told_who_wants_what() {
    let request = Request::post("/orders/7?full=1")
        .header("host", "api.example.com")
        .header("authorization", "Bearer abc")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("x-original-uri", "/harmless")
        .header("x-secret", "mine");
    let (gateway, _, reply) = ask(request, HttpResponse::new(200));
    assert_eq!(reply, Reply::Next);
    let question = question(&gateway);
    assert_eq!(
        (question.method(), question.url()),
        ("GET", "https://auth.example.com/check")
    );
    let names = [
        "x-original-method",
        "x-original-uri",
        "x-original-host",
        "authorization",
        "cookie",
        "cookie",
    ];
    assert_eq!(question.header_names(), names);
    for (name, value) in [
        ("x-original-method", "POST"),
        ("x-original-uri", "/orders/7?full=1"),
        ("x-original-host", "api.example.com"),
        ("authorization", "Bearer abc"),
    ] {
        assert_eq!(question.header(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(question.timeout(), Duration::from_secs(1));
    assert_eq!((question.body(), question.redirects()), (&b""[..], 0));
}

#[test]
fn a_service_of_the_gateway_can_be_asked() {
    let config = json!({ "service": "auth", "path": "/check", "method": "HEAD", "headers_to_send": ["X-Key"] });
    let request = Request::get("/")
        .header("x-key", "1")
        .header("authorization", "2");
    let (gateway, ..) = run(config, request, HttpResponse::new(204));
    let question = question(&gateway);
    assert_eq!(
        (question.method(), question.url(), question.service()),
        ("HEAD", "/check", Some("auth"))
    );
    assert_eq!(question.header("x-key").as_deref(), Some("1"));
    assert_eq!(question.header("authorization"), None);
}

#[test]
fn what_is_taken_of_the_answer_replaces_what_the_client_says() {
    let request = || {
        Request::get("/")
            .header("x-user", "admin")
            .header("x-role", "admin")
    };
    let config = || json!({ "headers_to_take": ["X-User", "x-role"], "headers_to_response": ["set-cookie"] });
    let answer = HttpResponse::new(200)
        .header("x-user", "ann")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .header("x-other", "1");
    let (_, exchange, reply) = run(config(), request(), answer);
    assert_eq!(reply, Reply::Next);
    assert_eq!(exchange.request_header_values("x-user"), ["ann"]);
    assert_eq!(exchange.request_header("x-role"), None);
    assert_eq!(exchange.request_header("x-other"), None);
    assert_eq!(exchange.request_header("set-cookie"), None);

    // The fields for the response come where the step's response hook would be.
    let gateway = Gateway::new();
    gateway.on_http(|_| {
        HttpResponse::new(200)
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
    });
    let mut step = step(&gateway, config());
    let exchange = gateway.exchange(request());
    exchange.run_request(&mut step);
    exchange.respond_from_upstream(200, [("set-cookie", "c=3")]);
    exchange.run_response(&mut step);
    assert_eq!(
        exchange.response_header_values("set-cookie"),
        ["c=3", "a=1", "b=2"]
    );
}

#[test]
fn a_refusal_goes_to_the_client() {
    for status in [302, 401, 403, 404, 418, 429, 499] {
        let answer = HttpResponse::new(status)
            .header("www-authenticate", "Bearer")
            .header("location", "/sign-in")
            .header("content-type", "text/plain")
            .header("x-internal", "secret")
            .body("no");
        let (_, _, reply) = ask(Request::get("/"), answer);
        let answer = reply.answer().expect("it is refused");
        assert_eq!((answer.status(), &*answer.body_text()), (status, "no"));
        assert_eq!(answer.header_text("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header_text("location"), Some("/sign-in"));
        assert_eq!(answer.header_text("x-internal"), None);
    }
}

#[test]
fn a_refusal_whose_body_cannot_be_had_stays_one() {
    let refusal = || HttpResponse::new(403).header("content-type", "text/plain");
    for answer in [
        refusal().body(vec![b'x'; (64 << 10) + 1]),
        refusal().chunk("half").then_error(Error::Broken),
        refusal().body("late").pause(Duration::from_secs(2)),
    ] {
        let config = json!({ "on_unavailable": "allow" });
        let (_, _, reply) = run(config, Request::get("/"), answer);
        let answer = reply.answer().expect("it is refused");
        assert_eq!((answer.status(), answer.body_bytes()), (403, &b""[..]));
        assert_eq!(answer.header_text("content-type"), None);
    }
}

#[test]
fn without_an_answer_the_configuration_decides() {
    for answer in [
        HttpResponse::error(Error::Connect),
        HttpResponse::error(Error::Denied),
        HttpResponse::new(200).delay(Duration::from_secs(1)),
        HttpResponse::new(500).body("oh"),
        HttpResponse::new(503),
    ] {
        let request = || Request::get("/").header("x-user", "admin");
        let (gateway, _, reply) = ask(request(), answer.clone());
        let refused = reply.answer().expect("it is refused");
        assert_eq!(refused.status(), 503);
        assert!(!refused.body_text().contains("oh"));
        assert!(gateway.log_lines()[0].starts_with("the authorization service cannot be asked: "));
        let outcome = |outcome| gateway.metric("ext_auth_decisions_total", [("outcome", outcome)]);
        assert_eq!(
            (outcome("unavailable"), outcome("passed")),
            (Some(1.0), None)
        );

        let config = json!({ "on_unavailable": "allow", "headers_to_take": ["x-user"] });
        let (_, exchange, reply) = run(config, request(), answer);
        assert_eq!(reply, Reply::Next);
        assert_eq!(
            exchange.request_header("x-user"),
            None,
            "nobody but the service says who it is"
        );
    }
}

#[test]
fn an_answer_that_cannot_be_handed_on_lets_nobody_pass() {
    let answer = (0..200).fold(HttpResponse::new(200), |answer, _| {
        answer.header("x-user", "ann")
    });
    let (_, _, reply) = ask(Request::get("/"), answer);
    assert_eq!(
        reply.answer().map(Answer::status),
        Some(503),
        "not a failure that `on_error: skip` forgives"
    );
}
