//! The answers that the gateway gives by itself, and the upstream's that it
//! passes on.

use std::time::Duration;

use crate::support::{Gateway, Reply, Scripted, Upstream, Wire, eventually, one_route};

/// A problem document of this status with the request's id.
#[track_caller]
fn assert_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], reply.header("x-request-id"));
    assert!(!reply.header("x-request-id").is_empty());
    for text in ["type", "title", "detail"] {
        let text = problem[text].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{problem}");
    }
}

/// An address that nobody listens on.
fn nobody() -> std::net::SocketAddr {
    Upstream::start("gone").address
}

#[test]
fn passes_on_what_the_upstream_answers() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let reply = gateway.get("/hello");
    assert_eq!(reply.status, 200);
    let id = reply.json()["headers"]["x-request-id"].clone();
    assert_eq!(id, reply.header("x-request-id"));
    for status in [201, 404, 418, 500, 503] {
        upstream.answer_with(status);
        let reply = gateway.get("/hello");
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.header("content-type"), "application/json");
    }
}

#[test]
fn no_route_is_404_and_a_wrong_method_405() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(
        &[],
        &one_route(&[upstream.address], "", "").replace(
            "match: { path: \"/{*rest}\" }",
            "match: { path: \"/users/{id}\", methods: [GET, PUT] }",
        ),
    );
    let mut client = gateway.client();
    assert_problem(&client.get("/nowhere", &[]), 404);
    let reply = client.send("DELETE", "/users/1", &[], "");
    assert_problem(&reply, 405);
    let mut allow: Vec<_> = reply.header("allow").split(", ").collect();
    allow.sort_unstable();
    assert_eq!(allow, ["GET", "HEAD", "PUT"], "GET brings HEAD along");
    assert_eq!(client.send("HEAD", "/users/1", &[], "").status, 200);
    let head = client.send("HEAD", "/nowhere", &[], "");
    assert_eq!((head.status.as_u16(), head.body.len()), (404, 0));
    assert_eq!(client.get("/users/1", &[]).status, 200);
    assert_eq!(upstream.hits(), 2);
}

#[test]
fn keeps_a_well_formed_request_id_and_replaces_another() {
    let config = one_route(&[nobody()], "", "").replace("/{*rest}", "/a");
    let gateway = Gateway::start(&[], &config);
    let mut client = gateway.client();
    let reply = client.get("/nowhere", &[("x-request-id", "trace-1")]);
    assert_problem(&reply, 404);
    assert_eq!(reply.header("x-request-id"), "trace-1");
    let reply = client.get("/nowhere", &[("x-request-id", "a\"b")]);
    assert_problem(&reply, 404);
    assert_eq!(reply.header("x-request-id").len(), 32);
}

#[test]
fn an_ambiguous_request_is_400_and_goes_nowhere() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let cases = [
        ("no host", "GET /a HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET /a HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"),
        ("a bad host", "GET /a HTTP/1.1\r\nhost: a b\r\n\r\n"),
        ("a user in the host", "GET /a HTTP/1.1\r\nhost: u@a\r\n\r\n"),
        (
            "two encodings",
            "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked twice",
            "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "identity and chunked",
            "POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ];
    for (name, request) in cases {
        let mut wire = Wire::connect(gateway.address);
        wire.send(request);
        let reply = wire.reply();
        assert_eq!(reply.status, 400, "{name}");
        assert_problem(&reply, 400);
    }
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn what_is_no_http_is_400_and_closes() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let cases = [
        "hello\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na",
    ];
    for request in cases {
        let mut wire = Wire::connect(gateway.address);
        wire.send(request);
        assert_eq!(wire.reply().status, 400, "{request:?}");
        assert_eq!(wire.rest(), b"", "{request:?}");
    }
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn a_head_over_its_limits_is_431() {
    let upstream = Upstream::start("a");
    let route = one_route(&[upstream.address], "", "");
    let limits = "limits: { request_head: 8KiB, request_headers: 20 }\n";
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    let long = format!(
        "GET /a HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(9_000)
    );
    let many = format!(
        "GET /a HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(21)
    );
    // One that the library would have read to its end before it judged its length.
    let target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(8_170));
    let endless = format!("GET /a HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(20_000));
    for request in [long, many, target, endless] {
        let mut wire = Wire::connect(gateway.address);
        wire.try_send(request);
        let reply = wire.reply();
        assert_eq!(reply.status, 431);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert!(
            reply
                .text()
                .contains("the request's head is over the limit")
        );
    }
    let refused = gateway.metric("portcullis_refused_total{reason=\"head\"}");
    assert_eq!(refused, Some(4.0));
    // What the library takes for no target is answered likewise.
    for target in ["/a<b", "/a?b\"c", "http://a:x/"] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = wire.reply();
        assert_eq!(reply.status, 400, "{target}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn a_body_over_its_limit_is_413() {
    let upstream = Upstream::start("a");
    let route = one_route(&[upstream.address], "", "");
    let limits = "limits: { request_body: 1KiB }\n";
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    let mut client = gateway.client();
    let fits = client.send("POST", "/a", &[], &"x".repeat(1_024));
    assert_eq!(fits.status, 200);
    assert_problem(&client.send("POST", "/a", &[], &"x".repeat(1_025)), 413);

    // Of one that is announced as too large not a byte is asked for.
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        "POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1025\r\n\r\n",
    );
    assert_problem(&wire.reply(), 413);
    assert_eq!(upstream.hits(), 1);

    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1_024));
    wire.send(&chunk);
    wire.send("1\r\nx\r\n");
    assert_problem(&wire.reply(), 413);
    assert_eq!(gateway.get("/a").status, 200, "the next one is served");
}

#[test]
fn connect_is_501() {
    let gateway = Gateway::start(&[], &one_route(&[nobody()], "", ""));
    let mut wire = Wire::connect(gateway.address);
    wire.send("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n");
    assert_problem(&wire.reply(), 501);
}

#[test]
fn an_upstream_that_refuses_is_502() {
    let gateway = Gateway::start(&[], &one_route(&[nobody()], "", ""));
    assert_problem(&gateway.get("/a"), 502);
    assert_problem(&gateway.client().send("POST", "/a", &[], "x"), 502);
}

#[test]
fn an_upstream_that_talks_nonsense_or_breaks_off_is_502() {
    let answers = [
        "",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ];
    for answer in answers {
        let upstream = Scripted::start(move |mut wire| {
            wire.head();
            wire.send(answer);
        });
        let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
        let reply = gateway.get("/a");
        assert_eq!(reply.status, 502, "{answer:?}");
        assert_problem(&reply, 502);
    }
}

#[test]
fn a_service_without_instances_is_503() {
    let gateway = Gateway::start(&[], &one_route(&[], "", ""));
    assert_problem(&gateway.get("/a"), 503);
}

#[test]
fn a_service_whose_instances_are_all_unhealthy_is_503() {
    let upstream = Upstream::start("a");
    upstream.healthy(false);
    let check = "health_check: { path: /health, interval: 20ms, unhealthy_after: 1 }";
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], check, ""));
    eventually("the instance is taken out", || {
        gateway.get("/a").status == 503
    });
    assert_problem(&gateway.get("/a"), 503);
}

#[test]
fn a_slow_upstream_is_504() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_secs(60));
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", "timeout: 100ms"));
    assert_problem(&gateway.get("/a"), 504);
    let head = gateway.client().send("HEAD", "/a", &[], "");
    assert_eq!((head.status.as_u16(), head.body.len()), (504, 0));
}

#[test]
fn a_client_that_stalls_its_body_is_408() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", "timeout: 100ms"));
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab");
    assert_problem(&wire.reply(), 408);
}
