//! Filters that look at bodies of clients who speak HTTP/2: framing at both ends.

use crate::{
    bodies::{FRAMED, OK, Steps, upstream},
    support::{Http2, start_with_bodies},
};

#[test]
fn a_request_is_framed_right_whatever_filters_make_of_its_body() {
    let (upstream, got) = upstream(OK);
    for (steps, expected, with_length, with_chunks) in FRAMED {
        let gateway = start_with_bodies(upstream.address, steps);
        let client = Http2::connect(gateway.address, "a");
        let got = || got.lock().expect("a lock").clone();
        let whole = client.send("POST", "/a", &[], "hello").expect("an answer");
        assert_eq!(whole.reply.text().to_lowercase(), "ok", "{steps:?}");
        got().is_framed(expected, *with_length, &format!("{steps:?} with a length"));
        let whole = client.stream("/a", &["he", "l", "lo"]).expect("an answer");
        assert_eq!(whole.reply.text().to_lowercase(), "ok", "{steps:?}");
        got().is_framed(expected, *with_chunks, &format!("{steps:?} without"));
        // No body, no hook of bodies.
        client.send("GET", "/a", &[], "").expect("an answer");
        assert_eq!(got().body, b"", "{steps:?}");
    }
}

#[test]
fn a_response_has_its_length_or_none_whatever_filters_make_of_its_body() {
    const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-end: 1\r\n\r\n";
    let cases: &[(Steps, &str, bool)] = &[
        (&[("stream", "response:upper", "")], "HELLO", false),
        (&[("stream", "response:keep hold", "")], "hello", true),
        (&[("buffer", "response:upper", "")], "HELLO", true),
        (&[("buffer", "response:empty", "")], "", true),
    ];
    for answer in [LENGTH, CHUNKED] {
        let (upstream, _) = upstream(answer);
        for (steps, expected, whole) in cases {
            let gateway = start_with_bodies(upstream.address, steps);
            let client = Http2::connect(gateway.address, "a");
            let got = client.send("GET", "/a", &[], "").expect("an answer");
            assert_eq!(got.reply.text(), *expected, "{steps:?} {answer}");
            // Trailers have no place behind a body of known length in HTTP/1.1.
            let has_trailers = answer == CHUNKED;
            assert_eq!(got.trailers.contains_key("x-end"), has_trailers);
            let length = got.reply.headers.get("content-length");
            let length = length.map(|length| length.as_bytes().to_vec());
            let expected = (*whole && !has_trailers).then(|| expected.len().to_string());
            assert_eq!(
                length,
                expected.map(String::into_bytes),
                "{steps:?} {answer}"
            );
            assert!(!got.reply.headers.contains_key("transfer-encoding"));
        }
    }
}
