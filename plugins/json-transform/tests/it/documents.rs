//! What is left as it was, what is refused, and what documents may cost.

use std::time::{Duration, Instant};

use crate::{check, transform};

#[test]
fn what_no_path_leads_to_stays_to_the_letter() {
    check(
        r#"{"set": {"x": 1.10}, "remove": ["y"]}"#,
        &[
            (
                r#"{"z":12345678901234567890.1234567890,"a":1E400,"b":-0.0,"c":"\u00e9\/","d":{ "k" : [1 , 2.0] },"e":"\ud800"}"#,
                r#"{"z":12345678901234567890.1234567890,"a":1E400,"b":-0.0,"c":"\u00e9\/","d":{ "k" : [1 , 2.0] },"e":"\ud800","x":1.10}"#,
            ),
            (
                " {\n \"b\" : 1 ,\n \"a\" : [ ] } \r\n",
                "{\"b\":1,\"a\":[ ],\"x\":1.10}",
            ),
        ],
    );
}

#[test]
fn what_is_not_json_is_refused() {
    let transform = transform(r#"{"remove": ["a"]}"#);
    let cases: [&[u8]; 16] = [
        b"",
        b" ",
        b"{",
        b"{\"a\":1}}",
        b"{\"a\":1} {\"a\":2}",
        b"{\"a\":01}",
        b"{\"b\":{\"c\":[1,]}}",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"{\"b\":NaN}",
        b"{\"b\":\"\x01\"}",
        b"{\"b\":\"\xff\"}",
        b"{\"\xff\":1}",
        b"{\"b\":\"\\x\"}",
        b"\xef\xbb\xbf{}",
        b"<html>",
    ];
    for document in cases {
        let error = transform.document(document);
        let error = error.expect_err(&String::from_utf8_lossy(document));
        assert!(error.to_string().starts_with("not JSON: "), "{error}");
    }
}

#[test]
fn nothing_to_do_still_has_to_be_json() {
    let transform = transform("{}");
    assert!(transform.is_empty());
    assert!(transform.document(b"{").is_err());
    assert_eq!(transform.document(b"[ 1 ]"), Ok(b"[ 1 ]".to_vec()));
}

/// A document may be as deep as it likes, and repeat what it likes: it is
/// walked as deep as paths lead, and once.
#[test]
fn hostile_documents_cost_no_more_than_others() {
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let deep_objects = "{\"a\":".repeat(200_000) + "1" + &"}".repeat(200_000);
    let repeated = format!("{{{}\"z\":1}}", "\"a\":1,".repeat(150_000));
    let renamed = format!("{{{}\"z\":1}}", "\"a\":1,\"b\":2,".repeat(75_000));
    let many = format!("[{}1]", "1,".repeat(500_000));
    let config = r#"{"remove": ["x.y", "a.a.a.q", "[][][].x"], "rename": {"a": "b"}, "set": {"c": 1, "[].c": 1}, "add": {"d": 1}}"#;
    let transform = transform(config);
    let started = Instant::now();
    for document in [&deep, &deep_objects, &repeated, &renamed, &many] {
        transform.document(document.as_bytes()).expect("JSON");
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}
