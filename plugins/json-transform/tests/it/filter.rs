//! The filter as the gateway runs it.

use json_transform::JsonTransform;
use portcullis_sdk::Side;
use portcullis_sdk::hooks::Hook;
use portcullis_sdk::serde_json::Value;
use portcullis_sdk::testing::*;

fn filter(gateway: &Gateway, config: Value) -> JsonTransform {
    gateway
        .configure(config)
        .expect("the configuration is valid")
}

fn status(reply: &Reply) -> Option<u16> {
    reply.answer().map(|answer| answer.status())
}

#[test]
fn documents_are_changed_on_both_sides() {
    let gateway = Gateway::new();
    let config = json!({
        "request": { "set": { "source": "gateway" } },
        "response": { "remove": ["password"] },
    });
    let mut filter = filter(&gateway, config);
    assert_eq!(gateway.skipped(), [Hook::RequestBody, Hook::ResponseBody]);
    let request = Request::post("/")
        .header("content-type", "application/json; charset=utf-8")
        .header("content-encoding", "br")
        .header("range", "bytes=0-9");
    let exchange = gateway.exchange(request);
    assert_eq!(exchange.run_request(&mut filter), Reply::Next);
    assert!(exchange.decodes_body(Side::Request));
    assert_eq!(exchange.request_header("range"), None);
    let body = exchange.run_request_buffered(&mut filter, "{\"a\": 1.0}");
    assert_eq!(body.text(), "{\"a\":1.0,\"source\":\"gateway\"}");
    exchange.respond_from_upstream(200, [("content-type", "application/hal+json")]);
    assert_eq!(exchange.run_response(&mut filter), Reply::Next);
    let body = exchange.run_response_buffered(&mut filter, "{\"password\":1}");
    assert_eq!(body.text(), "{}");
    let body = exchange.run_response_buffered(&mut filter, "");
    assert_eq!((&*body.text(), body.reply()), ("", &Reply::Next));
}

#[test]
fn lines_are_changed_as_they_stream_by() {
    let gateway = Gateway::new();
    let changes = json!({ "mode": "lines", "rename": { "a": "b" } });
    let mut filter = filter(&gateway, json!({ "request": changes, "response": changes }));
    assert_eq!(
        gateway.skipped(),
        [Hook::RequestBuffered, Hook::ResponseBuffered]
    );
    let request = Request::post("/").header("content-type", "application/x-ndjson");
    let exchange = gateway.exchange(request);
    exchange.run_request(&mut filter);
    let body = exchange.run_request_body(&mut filter, ["{\"a\":1}\n{\"", "a\":2}"]);
    assert_eq!(body.text(), "{\"b\":1}\n{\"b\":2}");
    exchange.respond_from_upstream(200, [("content-type", "application/jsonl")]);
    exchange.run_response(&mut filter);
    let body = exchange.run_response_body(&mut filter, ["{\"a\":1}", "\n"]);
    assert_eq!(body.text(), "{\"b\":1}\n");
}

#[test]
fn what_there_is_nothing_to_do_with_passes_by() {
    let change = json!({ "remove": ["a"] });
    for (config, hooks, bodies) in [
        (
            json!({}),
            &[Hook::Response, Hook::Request][..],
            &[Side::Request, Side::Response][..],
        ),
        (
            json!({ "request": {}, "response": {} }),
            &[Hook::Response, Hook::Request],
            &[Side::Request, Side::Response],
        ),
        (
            json!({ "request": change }),
            &[Hook::RequestBody, Hook::Response],
            &[Side::Response],
        ),
        (
            json!({ "response": change }),
            &[Hook::ResponseBody],
            &[Side::Request],
        ),
    ] {
        let gateway = Gateway::new();
        filter(&gateway, config);
        assert_eq!(gateway.skipped(), hooks);
        assert_eq!(gateway.skipped_bodies(), bodies);
    }
    let gateway = Gateway::new();
    let mut filter = filter(&gateway, json!({ "request": change }));
    for content_type in ["text/plain", "application/x-ndjson", "nonsense"] {
        let request = Request::post("/").header("content-type", content_type);
        let exchange = gateway.exchange(request);
        exchange.run_request(&mut filter);
        assert_eq!(exchange.run_request_buffered(&mut filter, "{").text(), "{");
    }
}

#[test]
fn what_is_not_json_is_refused_or_passes() {
    let gateway = Gateway::new();
    for (mode, kind) in [
        ("document", "application/json"),
        ("lines", "application/x-ndjson"),
    ] {
        for (on_invalid, request, response) in
            [("fail", Some(400), Some(502)), ("pass", None, None)]
        {
            let changes = json!({ "mode": mode, "remove": ["a"], "on_invalid": on_invalid });
            let mut filter = filter(&gateway, json!({ "request": changes, "response": changes }));
            let exchange = gateway.exchange(Request::post("/").header("content-type", kind));
            exchange.run_request(&mut filter);
            let body = match mode {
                "document" => exchange.run_request_buffered(&mut filter, "{"),
                _ => exchange.run_request_body(&mut filter, ["{"]),
            };
            assert_eq!(status(body.reply()), request, "{mode} {on_invalid}");
            if request.is_none() {
                assert_eq!(body.text(), "{");
            }
            exchange.respond_from_upstream(200, [("content-type", kind)]);
            exchange.run_response(&mut filter);
            if mode == "document" {
                let body = exchange.run_response_buffered(&mut filter, "{");
                assert_eq!(status(body.reply()), response, "{mode} {on_invalid}");
            }
        }
    }
}

/// The head of a response that streams has left, so there is no other way.
#[test]
fn a_response_with_a_bad_line_is_broken_off() {
    let gateway = Gateway::new();
    let changes = json!({ "mode": "lines", "remove": ["a"] });
    let mut filter = filter(&gateway, json!({ "response": changes }));
    let exchange = gateway.exchange(Request::get("/"));
    exchange.run_request(&mut filter);
    exchange.respond_from_upstream(200, [("content-type", "application/x-ndjson")]);
    exchange.run_response(&mut filter);
    let body = exchange.run_response_body(&mut filter, ["{\"a\":1}\n", "nonsense\n"]);
    assert_eq!(body.text(), "{}\n");
    assert!(matches!(body.reply(), Reply::Failed(_)));
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let gateway = Gateway::new();
    let changes =
        json!({ "mode": "lines", "remove": ["a"], "max_line": "1KiB", "on_invalid": "pass" });
    let mut filter = filter(&gateway, json!({ "request": changes }));
    let exchange = gateway.exchange(Request::post("/").header("content-type", "application/jsonl"));
    exchange.run_request(&mut filter);
    let body = exchange.run_request_body(&mut filter, [vec![b' '; 1_025]]);
    let answer = body.answer().expect("an answer");
    assert_eq!(answer.status(), 413);
    assert!(
        answer
            .body_text()
            .contains("line 1 is longer than `max_line`")
    );
}

#[test]
fn a_coding_that_cannot_be_undone_is_refused_or_passes() {
    let gateway = Gateway::new();
    for (on_invalid, expected) in [("fail", (Some(415), Some(502))), ("pass", (None, None))] {
        let changes = json!({ "remove": ["a"], "on_invalid": on_invalid });
        let mut filter = filter(&gateway, json!({ "request": changes, "response": changes }));
        let request = Request::post("/")
            .header("content-type", "application/json")
            .header("content-encoding", "zstd");
        let exchange = gateway.exchange(request);
        let request = status(&exchange.run_request(&mut filter));
        let fields = [
            ("content-type", "application/json"),
            ("content-encoding", "zstd"),
        ];
        exchange.respond_from_upstream(200, fields);
        let response = status(&exchange.run_response(&mut filter));
        assert_eq!((request, response), expected, "{on_invalid}");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let gateway = Gateway::new();
    for (config, expected) in [
        (
            json!({ "response": { "remove": ["a["] } }),
            "response.remove: `a[` is not a path",
        ),
        (
            json!({ "request": { "max_line": "1B" } }),
            "request.max_line: from 1KiB to 16MiB",
        ),
        (
            json!({ "request": { "max_line": "17MiB" } }),
            "request.max_line: from 1KiB to 16MiB",
        ),
        (
            json!({ "request": { "content_types": ["json"] } }),
            "not a media type",
        ),
    ] {
        let error = gateway
            .configure::<JsonTransform>(config)
            .expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}
