//! What becomes of a message on its way through the gateway.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use crate::support::{Gateway, Scripted, Upstream, Wire, one_route};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// An upstream that keeps the heads it gets, and answers all of them alike.
fn recorder(answer: &'static str) -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            seen.lock().expect("a lock").push(head);
            wire.send(answer);
        }
    });
    (upstream, heads)
}

fn gateway(upstream: &Scripted) -> Gateway {
    Gateway::start(&[], &one_route(&[upstream.address], "", ""))
}

fn only(heads: &Mutex<Vec<String>>) -> String {
    let heads = heads.lock().expect("a lock");
    assert_eq!(heads.len(), 1, "{heads:?}");
    heads[0].clone()
}

/// The values of a field in a head, in their order.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

#[test]
fn hop_by_hop_fields_of_a_request_stay_behind() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        "GET /a?b=%2F HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, x-drop\r\nx-drop: 1\r\n\
         keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic eA==\r\n\
         te: trailers\r\ntrailer: x\r\nupgrade: websocket\r\naccept: */*\r\nx-keep: 1\r\nx-keep: 2\r\n\r\n",
    );
    assert_eq!(wire.reply().status, 200);
    let head = only(&heads);
    assert!(head.starts_with("GET /a?b=%2F HTTP/1.1\r\n"), "{head}");
    for gone in [
        "connection",
        "x-drop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "transfer-encoding",
        "content-length",
    ] {
        assert_eq!(values(&head, gone), [""; 0], "{gone} in {head}");
    }
    assert_eq!(values(&head, "host"), ["a"]);
    assert_eq!(values(&head, "accept"), ["*/*"]);
    assert_eq!(values(&head, "x-keep"), ["1", "2"]);
}

#[test]
fn what_connection_names_cannot_take_away_what_the_gateway_sets() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        "GET /a HTTP/1.1\r\nhost: a\r\nconnection: x-forwarded-for, x-request-id, via, forwarded\r\n\r\n",
    );
    assert_eq!(wire.reply().status, 200);
    let head = only(&heads);
    for kept in ["x-forwarded-for", "x-request-id", "via", "forwarded"] {
        assert_eq!(values(&head, kept).len(), 1, "{kept} in {head}");
    }
}

#[test]
fn hop_by_hop_fields_of_a_response_stay_behind() {
    let (upstream, _) = recorder(
        "HTTP/1.1 200 OK\r\nconnection: x-drop\r\nx-drop: 1\r\nkeep-alive: timeout=5\r\n\
         proxy-authenticate: Basic\r\nupgrade: h2c\r\ntrailer: x\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    let gateway = gateway(&upstream);
    let reply = gateway.get("/a");
    assert_eq!(reply.text(), "ok");
    for gone in [
        "connection",
        "x-drop",
        "keep-alive",
        "proxy-authenticate",
        "upgrade",
        "trailer",
    ] {
        assert!(!reply.headers.contains_key(gone), "{gone}");
    }
    let cookies = reply.headers.get_all("set-cookie").iter();
    assert_eq!(cookies.collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[test]
fn the_upstream_is_told_of_the_client_whatever_the_client_claims() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let mut client = gateway.client();
    client.get("/a", &[("host", "example.com:8080")]);
    client.get(
        "/a",
        &[
            ("host", "example.com:8080"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=6.6.6.6"),
            ("via", "1.0 before"),
        ],
    );
    let heads = heads.lock().expect("a lock").clone();
    for head in &heads {
        assert_eq!(values(head, "host"), ["example.com:8080"]);
        assert_eq!(values(head, "x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(values(head, "x-forwarded-host"), ["example.com:8080"]);
        assert_eq!(values(head, "x-forwarded-proto"), ["http"]);
        assert_eq!(
            values(head, "forwarded"),
            ["for=127.0.0.1;host=\"example.com:8080\";proto=http"]
        );
        assert_eq!(values(head, "x-request-id")[0].len(), 32);
    }
    assert_eq!(values(&heads[0], "via"), ["1.1 portcullis"]);
    assert_eq!(values(&heads[1], "via"), ["1.0 before", "1.1 portcullis"]);
    let ids = heads.iter().map(|head| values(head, "x-request-id"));
    let ids: Vec<_> = ids.collect();
    assert_ne!(ids[0], ids[1], "every request has an id of its own");
}

#[test]
fn the_request_id_is_the_same_on_both_sides() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let reply = gateway.client().get("/a", &[("x-request-id", "trace-7")]);
    assert_eq!(reply.header("x-request-id"), "trace-7");
    assert_eq!(values(&only(&heads), "x-request-id"), ["trace-7"]);
}

#[test]
fn an_absolute_target_names_the_host_and_goes_on_as_a_path() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET http://real.example/a?b HTTP/1.1\r\nhost: other\r\n\r\n");
    assert_eq!(wire.reply().status, 200);
    let head = only(&heads);
    assert!(head.starts_with("GET /a?b HTTP/1.1\r\n"), "{head}");
    assert_eq!(values(&head, "host"), ["real.example"]);
    assert_eq!(values(&head, "x-forwarded-host"), ["real.example"]);
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let mut wire = Wire::connect(gateway.address);
    wire.send("POST /a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(wire.reply_head().status, 100);
    wire.send("hello");
    let json = wire.reply().json();
    assert_eq!(json["body"], "hello");
    assert!(json["headers"].get("expect").is_none(), "{json}");
}

#[test]
fn interim_responses_are_passed_over() {
    let (upstream, _) = recorder(
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    );
    assert_eq!(gateway(&upstream).get("/a").text(), "ok");
}

#[test]
fn responses_without_a_body_end_where_they_should() {
    let answers = [
        (
            "HEAD",
            200,
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
            "5",
        ),
        ("GET", 204, "HTTP/1.1 204 No Content\r\n\r\n", ""),
        (
            "GET",
            304,
            "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n",
            "",
        ),
        (
            "GET",
            200,
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "0",
        ),
    ];
    for (method, status, answer, length) in answers {
        let (upstream, _) = recorder(answer);
        let gateway = gateway(&upstream);
        let mut wire = Wire::connect(gateway.address);
        // Whatever was left of the first would be read as part of the second.
        for _ in 0..2 {
            wire.send(format!("{method} /a HTTP/1.1\r\nhost: a\r\n\r\n"));
            let reply = wire.reply_head();
            assert_eq!(reply.status.as_u16(), status, "{method} {answer:?}");
            assert_eq!(
                reply.header("content-length"),
                length,
                "{method} {answer:?}"
            );
        }
        wire.finish();
        assert_eq!(wire.rest(), b"", "{method} {answer:?}");
        assert_eq!(upstream.connections(), 1, "{method} {answer:?}");
    }
}

#[test]
fn one_client_connection_needs_one_upstream_connection() {
    let (upstream, heads) = recorder(OK);
    let gateway = gateway(&upstream);
    let mut client = gateway.client();
    for _ in 0..50 {
        assert_eq!(client.get("/a", &[]).text(), "ok");
    }
    assert_eq!(heads.lock().expect("a lock").len(), 50);
    assert_eq!(upstream.connections(), 1);
    let total = gateway.metric("portcullis_upstream_connections_total ");
    assert_eq!(total, Some(1.0));
    assert_eq!(
        gateway.metric("portcullis_upstream_connections "),
        Some(1.0)
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start("a");
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], "", ""));
    let mut wire = Wire::connect(gateway.address);
    let requests: String = (0..5)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .collect();
    wire.send(requests);
    for n in 0..5 {
        assert_eq!(wire.reply().json()["path"], format!("/{n}"));
    }
}

#[test]
fn many_clients_get_each_their_own_answer() {
    let upstreams = [Upstream::start("a"), Upstream::start("b")];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let gateway = Gateway::start(&[], &one_route(&addresses, "", ""));
    thread::scope(|scope| {
        for client in 0..16 {
            let gateway = &gateway;
            scope.spawn(move || {
                let mut connection = gateway.client();
                for n in 0..50 {
                    let (path, body) = (format!("/{client}/{n}"), "x".repeat(n * 100));
                    let reply = connection.send("POST", &path, &[], &body);
                    assert_eq!(reply.status, 200);
                    assert_eq!(reply.headers.get_all("x-request-id").iter().count(), 1);
                    let json = reply.json();
                    assert_eq!((&json["path"], &json["body"]), (&path.into(), &body.into()));
                }
            });
        }
    });
}
