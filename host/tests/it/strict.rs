//! What could be read in two ways does not reach an upstream: heads over the
//! wire, and the bytes that come out on the other side.

use std::sync::{Arc, Mutex};

use crate::support::{Gateway, Scripted, Wire, eventually, one_route};

/// An upstream that notes the heads it gets, and says 200.
fn upstream() -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            if head.contains("transfer-encoding") {
                while !wire.chunk_or_end().is_empty() {}
            }
            let length = head.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            wire.take(length.unwrap_or(0));
            noted.lock().expect("a lock").push(head);
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    (upstream, heads)
}

fn gateway(upstream: &Scripted) -> Gateway {
    Gateway::start(&[], &one_route(&[upstream.address], "", ""))
}

// Cases 1 to 5, 10, 15 to 18.
#[test]
fn a_head_with_two_meanings_is_refused_and_nothing_goes_upstream() {
    let (upstream, heads) = upstream();
    let gateway = gateway(&upstream);
    // The case of the list of what hyper leaves open, or lets pass; the head, and
    // what is said of it.
    let cases: &[(&str, &str)] = &[
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "contradict each other",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
            "contradict each other",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "exactly one chunked",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "exactly one chunked",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n",
            "exactly one chunked",
        ),
        (
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.0",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx",
            "Content-Length",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 01\r\n\r\nx",
            "Content-Length",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\nx",
            "Content-Length",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx",
            "Content-Length",
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
            "Content-Length",
        ),
        ("GET / HTTP/1.1\nhost: a\n\n", "carriage return"),
        ("GET / HTTP/1.1\r\nhost: a\nx: b\r\n\r\n", "carriage return"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n",
            "control character",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nx: b\0c\r\n\r\n",
            "control character",
        ),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: b\r\n c\r\n\r\n", "folded"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "name is malformed"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n",
            "name is malformed",
        ),
        ("GET foo HTTP/1.1\r\nhost: a\r\n\r\n", "request target"),
        ("GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n", "fragment"),
        ("GET /a\\b HTTP/1.1\r\nhost: a\r\n\r\n", "no URI has"),
        ("GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n", "no URI has"),
        ("GET / HTTP/1.1\r\n\r\n", "Host header is missing"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            "more than one Host",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
            "Host header is malformed",
        ),
        (
            "GET /..%2fadmin HTTP/1.1\r\nhost: a\r\n\r\n",
            "encoded slash",
        ),
        ("GET /a%5Cb HTTP/1.1\r\nhost: a\r\n\r\n", "encoded slash"),
        ("GET /a%00 HTTP/1.1\r\nhost: a\r\n\r\n", "control character"),
        ("GET /a%zz HTTP/1.1\r\nhost: a\r\n\r\n", "percent-encoding"),
        (
            "GET /../admin HTTP/1.1\r\nhost: a\r\n\r\n",
            "beyond the root",
        ),
        (
            "GET /x/..;p=1/admin HTTP/1.1\r\nhost: a\r\n\r\n",
            "dots with parameters",
        ),
    ];
    for (request, said) in cases {
        // Also as the second of two, which come at once.
        for first in ["", "GET /first HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let mut wire = Wire::connect(gateway.address);
            wire.send([first, request].concat());
            if !first.is_empty() {
                assert_eq!(wire.reply().status, 200, "{request:?}");
            }
            let reply = wire.reply();
            assert_eq!(reply.status, 400, "{request:?}");
            let problem = reply.json();
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(said), "{request:?}: {detail}");
        }
        let heads = std::mem::take(&mut *heads.lock().expect("a lock"));
        assert_eq!(heads.len(), 1, "{request:?}: {heads:?}");
    }
    assert_eq!(gateway.get("/healthy").text(), "ok");
}

#[test]
fn a_head_that_comes_byte_by_byte_is_read_like_any_other() {
    let (upstream, heads) = upstream();
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    for request in [
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
        "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
        "GET /c HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        for byte in request.as_bytes() {
            wire.send([*byte]);
        }
        assert_eq!(wire.reply().text(), "ok", "{request}");
    }
    assert_eq!(heads.lock().expect("a lock").len(), 3);
}

// Cases 6 and 7.
#[test]
fn a_body_whose_framing_is_malformed_breaks_off_and_its_connection_is_not_used_again() {
    let (upstream, heads) = upstream();
    let gateway = gateway(&upstream);
    for chunks in [
        "0x1\r\na\r\n",
        "1;\na\r\n",
        "fffffffffffffffff\r\n",
        "1\r\nab\r\n",
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        wire.send(chunks);
        let rest = wire.rest();
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
            "{chunks:?}: {rest:?}"
        );
    }
    let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(64 << 10));
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let _ = wire.try_send(&long);
    let rest = wire.rest();
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
        "{rest:?}"
    );
    assert!(
        heads.lock().expect("a lock").is_empty(),
        "no request came through whole"
    );
    assert_eq!(gateway.get("/healthy").text(), "ok");
}

#[test]
fn a_path_goes_upstream_in_the_form_that_routes_matched() {
    let (upstream, heads) = upstream();
    let gateway = gateway(&upstream);
    for (path, expected) in [
        ("/a/../admin", "/admin"),
        ("/%61dmin", "/admin"),
        ("//admin//x", "/admin/x"),
        ("/a/%2e%2e/admin?b=%2f", "/admin?b=%2f"),
        ("/%c3%a9", "/%C3%A9"),
        ("http://b/a/./c", "/a/c"),
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: b\r\n\r\n"));
        assert_eq!(wire.reply().status, 200, "{path}");
        let head = heads.lock().expect("a lock").pop().expect("a head");
        assert!(
            head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")),
            "{path}: {head}"
        );
    }
}

#[test]
fn there_is_no_way_round_a_route_that_protects_a_path() {
    let (upstream, heads) = upstream();
    let address = upstream.address;
    let config = format!(
        "services: {{ s: {{ instances: [{{ address: \"{address}\" }}] }} }}\n\
         routes:\n\
         - {{ name: admin, match: {{ path: \"/admin\" }}, service: s, pipeline: [{{ plugin: key-auth, config: {{ consumers: [{{ name: a, key: \"a-long-enough-key\" }}] }} }}] }}\n\
         - {{ name: rest, match: {{ path: \"/{{*rest}}\" }}, service: s }}\n"
    );
    let gateway = Gateway::start(&["key-auth"], &config);
    for path in [
        "/admin",
        "/admin;x",
        "/admin;a=b;c",
        "/%61dmin",
        "//admin",
        "/./admin",
        "/x/../admin",
        "/x;y/../admin;z",
        "/%61%64min;%2e",
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: b\r\n\r\n"));
        assert_eq!(wire.reply().status, 401, "{path}");
    }
    assert!(heads.lock().expect("a lock").is_empty());
    assert_eq!(gateway.get("/else").text(), "ok");
}

// Cases 8 and 21.
#[test]
fn fields_that_look_like_others_and_trailers_that_mean_something_are_dropped() {
    let trailers = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&trailers);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        while !wire.chunk_or_end().is_empty() {}
        let mut all = head;
        loop {
            let line = wire.line();
            if line == "\r\n" {
                break;
            }
            all.push_str(&line);
        }
        *noted.lock().expect("a lock") = all;
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        "POST /a HTTP/1.1\r\nhost: a\r\nx_user: 1\r\nx.user: 1\r\nx-user: 2\r\ntransfer-encoding: chunked\r\n\
         trailer: x-sum, content-length, host, authorization, transfer-encoding\r\n\r\n1\r\na\r\n0\r\n\
         x-sum: 7\r\ncontent-length: 3\r\nhost: evil\r\nauthorization: evil\r\ntransfer-encoding: evil\r\n\r\n",
    );
    assert_eq!(wire.reply().status, 200);
    eventually("the upstream has it", || {
        !trailers.lock().expect("a lock").is_empty()
    });
    let got = trailers.lock().expect("a lock").clone();
    assert!(
        got.contains("x-user: 2\r\n") && got.contains("x-sum: 7\r\n"),
        "{got}"
    );
    for gone in ["x_user", "x.user", "evil", "content-length: 3"] {
        assert!(!got.contains(gone), "{gone} in {got}");
    }
}
