//! Filters that look at bodies: what both ends of the gateway see of them.

use std::sync::{Arc, Mutex, mpsc};

use crate::support::{Gateway, Reply, Scripted, Wire, eventually, start_with_bodies};

/// What the upstream got last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The lines behind a chunked body.
    trailers: String,
}

impl Got {
    /// Whether it got this body, with a length or in chunks.
    #[track_caller]
    pub(crate) fn is_framed(&self, body: &str, length: Option<usize>, what: &str) {
        let Self { head, .. } = self;
        assert_eq!(String::from_utf8_lossy(&self.body), body, "{what}");
        let framing = length.map_or(TE.to_owned(), |length| format!("{CL}{length}\r\n"));
        assert!(head.contains(&framing), "{what} {head}");
        let other = length.map_or(CL, |_| TE);
        assert!(!head.contains(other), "{what} {head}");
    }
}

/// An upstream that notes what it gets and answers each request so.
pub(crate) fn upstream(answer: &'static str) -> (Scripted, Arc<Mutex<Got>>) {
    let got = Arc::new(Mutex::new(Got::default()));
    let noted = Arc::clone(&got);
    let upstream = Scripted::start(move |mut wire| {
        loop {
            let head = wire.head();
            if head.is_empty() {
                return;
            }
            let (body, trailers) = body(&mut wire, &head);
            *noted.lock().expect("a lock") = Got {
                head,
                body,
                trailers,
            };
            wire.send(answer);
        }
    });
    (upstream, got)
}

/// Reads a message's body as its head frames it.
fn body(wire: &mut Wire, head: &str) -> (Vec<u8>, String) {
    let lower = head.to_ascii_lowercase();
    if lower.contains("transfer-encoding: chunked") {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(wire.line().trim(), 16).expect("a chunk's size");
            if size == 0 {
                let mut trailers = String::new();
                loop {
                    match &*wire.line() {
                        "\r\n" => return (body, trailers),
                        line => trailers.push_str(line),
                    }
                }
            }
            body.extend(wire.take(size));
            assert_eq!(wire.take(2), b"\r\n");
        }
    }
    let length = lower.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    (wire.take(length.unwrap_or(0)), String::new())
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    let chunks: String = body
        .as_bytes()
        .chunks(3)
        .map(|chunk| {
            format!(
                "{:x}\r\n{}\r\n",
                chunk.len(),
                String::from_utf8_lossy(chunk)
            )
        })
        .collect();
    format!("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

/// Plugin, what it is told, more keys.
pub(crate) type Steps = &'static [(&'static str, &'static str, &'static str)];

const CL: &str = "content-length: ";
const TE: &str = "transfer-encoding: chunked\r\n";

/// The steps; what goes upstream of "hello"; how it is framed, where it came with
/// a length and where it came in chunks.
pub(crate) const FRAMED: &[(Steps, &str, Option<usize>, Option<usize>)] = &[
    (&[("stream", "request:upper", "")], "HELLO", None, None),
    (&[("stream", "request:pass", "")], "hello", None, None),
    (&[("stream", "request:first", "")], "hello", None, None),
    (&[("stream", "request:keep", "")], "hello", None, None),
    (&[("stream", "request:frame", "")], "[hello]", None, None),
    (
        &[("stream", "request:upper skip", "")],
        "hello",
        Some(5),
        None,
    ),
    (&[("stream", "response:upper", "")], "hello", Some(5), None),
    (&[("buffer", "request:pass", "")], "hello", Some(5), Some(5)),
    (
        &[("buffer", "request:upper", "")],
        "HELLO",
        Some(5),
        Some(5),
    ),
    (&[("buffer", "request:empty", "")], "", Some(0), Some(0)),
    (
        &[
            ("stream", "request:frame", ""),
            ("stream", "request:upper", ""),
            ("stream", "request:frame", ""),
        ],
        "[[HELLO]]",
        None,
        None,
    ),
    (
        &[
            ("stream", "request:frame", ""),
            ("buffer", "request:upper", ""),
            ("stream", "request:frame", ""),
        ],
        "[[HELLO]]",
        Some(9),
        Some(9),
    ),
];

#[test]
fn a_request_is_framed_right_whatever_filters_make_of_its_body() {
    let (upstream, got) = upstream(OK);
    for (steps, expected, with_length, with_chunks) in FRAMED {
        let gateway = start_with_bodies(upstream.address, steps);
        let mut wire = Wire::connect(gateway.address);
        for (request, length) in [
            (post("hello"), with_length),
            (chunked("hello"), with_chunks),
        ] {
            wire.send(&request);
            let head = wire.head();
            assert!(head.starts_with("HTTP/1.1 200"), "{steps:?} {head}");
            body(&mut wire, &head);
            let got = got.lock().expect("a lock").clone();
            got.is_framed(expected, *length, &format!("{steps:?} {request}"));
        }
        // No body, no hook of bodies.
        wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(wire.head().starts_with("HTTP/1.1 200"), "{steps:?}");
        let got = got.lock().expect("a lock").clone();
        assert!(
            !got.head.contains(TE) && got.body.is_empty(),
            "{steps:?} {}",
            got.head
        );
    }
}

#[test]
fn a_response_is_framed_right_whatever_filters_make_of_its_body() {
    const LENGTH: &str =
        "HTTP/1.1 200 OK\r\netag: \"a\"\r\naccept-ranges: bytes\r\ncontent-length: 5\r\n\r\nhello";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\netag: \"a\"\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let cases: &[(Steps, &str, bool)] = &[
        (&[("stream", "response:upper", "")], "HELLO", false),
        (&[("stream", "response:keep", "")], "hello", false),
        (&[("stream", "response:keep hold", "")], "hello", true),
        (&[("buffer", "response:upper", "")], "HELLO", true),
        (&[("buffer", "response:empty", "")], "", true),
        (
            &[
                ("stream", "response:frame", ""),
                ("stream", "response:upper", ""),
                ("buffer", "response:pass", ""),
            ],
            "[HELLO]",
            true,
        ),
    ];
    for answer in [LENGTH, CHUNKED] {
        let (upstream, _) = upstream(answer);
        for (steps, expected, whole) in cases {
            let gateway = start_with_bodies(upstream.address, steps);
            let mut wire = Wire::connect(gateway.address);
            wire.send("GET /a HTTP/1.1\r\nhost: a\r\nrange: bytes=0-1\r\n\r\n");
            let head = wire.head();
            let (read, _) = body(&mut wire, &head);
            assert_eq!(
                String::from_utf8_lossy(&read),
                *expected,
                "{steps:?} {answer}"
            );
            let framing = format!("{CL}{}\r\n", expected.len());
            assert_eq!(head.contains(&framing), *whole, "{steps:?} {head}");
            assert_ne!(head.contains(TE), *whole, "{steps:?} {head}");
            assert!(head.contains("etag: W/\"a\"\r\n"), "{head}");
            assert!(!head.contains("accept-ranges"), "{head}");
            // The connection is good for another.
            wire.send("HEAD /a HTTP/1.1\r\nhost: a\r\n\r\n");
            let head = wire.head();
            assert!(
                head.starts_with("HTTP/1.1 200") && !head.contains("content-length: 5"),
                "{head}"
            );
            wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
            assert!(wire.head().starts_with("HTTP/1.1 200"), "{steps:?}");
        }
    }
}

#[test]
fn a_part_of_a_body_is_not_asked_for_where_the_whole_may_change() {
    let (upstream, got) = upstream(OK);
    let gateway = start_with_bodies(upstream.address, &[("stream", "response:upper", "")]);
    let reply = gateway
        .client()
        .get("/a", &[("range", "bytes=0-0"), ("if-range", "\"a\"")]);
    assert_eq!(reply.text(), "OK");
    let head = got.lock().expect("a lock").head.clone();
    assert!(!head.contains("range"), "{head}");
}

#[test]
fn a_filter_of_chunks_answers_until_the_response_has_begun() {
    let (upstream, got) = upstream(OK);
    for steps in [
        &[("stream", "request:answer", "")][..],
        &[("stream", "request:answer hold", "")],
        &[("buffer", "request:answer", "")],
        &[
            ("stream", "request:pass", ""),
            ("stream", "request:answer-at-second", ""),
        ],
    ] {
        let gateway = start_with_bodies(upstream.address, steps);
        let mut wire = Wire::connect(gateway.address);
        wire.send(chunked("hello"));
        let reply = wire.reply();
        assert_eq!(
            (reply.status.as_u16(), &*reply.text()),
            (418, "teapot"),
            "{steps:?}"
        );
    }
    let held = got.lock().expect("a lock").head.clone();
    assert_eq!(held, "", "nothing that was held back went upstream whole");
    let steps = &[("stream", "response:answer hold", "")];
    let gateway = start_with_bodies(upstream.address, steps);
    let reply = gateway.get("/a");
    assert_eq!(
        (reply.status.as_u16(), reply.header("x-by")),
        (418, "chunk")
    );
    assert_eq!(reply.text(), "teapot");
}

#[test]
fn the_answer_to_a_body_passes_the_filters_before_it() {
    let (upstream, _) = upstream(OK);
    let steps = &[
        ("stream", "response:frame", ""),
        ("buffer", "response:answer", ""),
    ];
    let gateway = start_with_bodies(upstream.address, steps);
    let reply = gateway.get("/a");
    assert_eq!((reply.status.as_u16(), &*reply.text()), (418, "[teapot]"));
    let steps = &[
        ("stream", "response:frame", ""),
        ("buffer", "request:answer", ""),
    ];
    let gateway = start_with_bodies(upstream.address, steps);
    let reply = gateway.client().send("POST", "/a", &[], "hello");
    assert_eq!((reply.status.as_u16(), &*reply.text()), (418, "[teapot]"));
}

#[test]
fn a_filter_that_fails_breaks_off_what_has_begun_and_answers_before_that() {
    const SLOW: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let (upstream, _) = upstream(SLOW);
    for (steps, status, text) in [
        (("buffer", "request:fail", ""), 503, None),
        (("buffer", "request:trap", ""), 503, None),
        (
            ("buffer", "request:trap", ", on_error: skip"),
            200,
            Some("hello"),
        ),
        (("buffer", "response:fail", ""), 503, None),
        (
            ("buffer", "response:fail", ", on_error: skip"),
            200,
            Some("hello"),
        ),
        (("stream", "request:fail-at-second", ""), 503, None),
        (("stream", "request:trap-at-second", ""), 503, None),
        (
            ("stream", "request:fail-at-second", ", on_error: skip"),
            200,
            Some("hello"),
        ),
        (
            ("stream", "response:fail-at-second", ", on_error: skip"),
            200,
            Some("hello"),
        ),
    ] {
        let gateway = start_with_bodies(upstream.address, &[steps]);
        let mut wire = Wire::connect(gateway.address);
        wire.send(chunked("hello"));
        let head = wire.head();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{steps:?} {head}"
        );
        if let Some(text) = text {
            assert_eq!(body(&mut wire, &head).0, text.as_bytes(), "{steps:?}");
        }
    }
    let gateway = start_with_bodies(
        upstream.address,
        &[("stream", "response:fail-at-second", "")],
    );
    let mut wire = Wire::connect(gateway.address);
    wire.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(wire.head().starts_with("HTTP/1.1 200"));
    let rest = wire.rest();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    let series = "portcullis_filter_errors_total{route=\"r\",plugin=\"stream\"";
    eventually("the failure is counted", || {
        gateway.admin("/metrics").text().contains(series)
    });
}

#[test]
fn a_body_over_what_a_filter_can_take_is_refused() {
    const LONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    let (upstream, got) = upstream(LONG);
    let few = ", limits: { body_buffer: 4 }";
    let gateway = start_with_bodies(upstream.address, &[("buffer", "request:pass", few)]);
    let mut wire = Wire::connect(gateway.address);
    wire.send(chunked("hello"));
    assert_eq!(wire.reply().status, 413);
    assert_eq!(got.lock().expect("a lock").head, "");
    let limited = "portcullis_plugin_limited_total{plugin=\"buffer\",limit=\"body_buffer\"} ";
    assert_eq!(gateway.metric(limited), Some(1.0));
    let gateway = start_with_bodies(upstream.address, &[("buffer", "response:pass", few)]);
    let reply = gateway.get("/a");
    assert_eq!(reply.status, 502);
    assert!(
        reply.text().contains("longer than a filter"),
        "{}",
        reply.text()
    );
}

#[test]
fn bodies_that_are_kept_for_a_filter_are_bounded_together() {
    let (upstream, _) = upstream(OK);
    let few = ", limits: { body_buffers: 10 }";
    let gateway = start_with_bodies(upstream.address, &[("buffer", "request:pass", few)]);
    let limited = "portcullis_plugin_limited_total{plugin=\"buffer\",limit=\"body_buffers\"} ";
    let head = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n";
    let mut first = Wire::connect(gateway.address);
    first.send(format!("{head}123456"));
    // Whoever comes once that is there is told to come again.
    let mut last = None;
    eventually("there is no more room", || {
        let mut second = Wire::connect(gateway.address);
        second.send(format!("{head}12345678"));
        let reply = second.reply();
        let full = reply.status == 503;
        last = Some(reply);
        full
    });
    let refused = last.expect("an answer");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(gateway.metric(limited), Some(1.0));
    first.send("78");
    assert_eq!(first.reply().status, 200);
    for _ in 0..3 {
        let mut again = Wire::connect(gateway.address);
        again.send(format!("{head}12345678"));
        assert_eq!(again.reply().status, 200, "what was kept is given back");
    }
}

#[test]
fn what_a_filter_writes_is_bounded() {
    let (upstream, _) = upstream(OK);
    let gateway = start_with_bodies(upstream.address, &[("stream", "request:flood", "")]);
    let reply = gateway.client().send("POST", "/a", &[], "hello");
    assert_eq!(reply.status, 200);
    let limited = "portcullis_plugin_limited_total{plugin=\"stream\",limit=\"response_size\"} ";
    assert_eq!(gateway.metric(limited), Some(1.0));
}

#[test]
fn trailers_are_read_and_changed() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-a, x-secret\r\n\r\n2\r\nok\r\n0\r\nx-a: 1\r\nx-secret: 2\r\n\r\n";
    let (upstream, got) = upstream(ANSWER);
    let gateway = start_with_bodies(upstream.address, &[("stream", "both:trailers trailer", "")]);
    let mut wire = Wire::connect(gateway.address);
    wire.send(
        "POST /a HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\ntrailer: x-b\r\n\r\n\
         2\r\nhi\r\n0\r\nx-b: 1\r\n\r\n",
    );
    let head = wire.head();
    let (read, trailers) = body(&mut wire, &head);
    assert_eq!(
        (read.as_slice(), &*trailers),
        (&b"ok"[..], "x-length: 2\r\n"),
        "{head}"
    );
    let got = got.lock().expect("a lock").clone();
    assert_eq!(got.trailers, "x-length: 1\r\n", "{}", got.head);
}

#[test]
fn a_filter_gets_the_plain_form_of_a_coded_body() {
    // "hello" by `gzip -n`.
    const GZIP: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let (upstream, got) = upstream(OK);
    let coded = |bytes: &[u8]| {
        let length = bytes.len();
        let head = format!(
            "POST /a HTTP/1.1\r\nhost: a\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.as_bytes(), bytes].concat()
    };
    for plugin in ["stream", "buffer"] {
        let gateway = start_with_bodies(upstream.address, &[(plugin, "request:upper decode", "")]);
        let mut wire = Wire::connect(gateway.address);
        wire.send(coded(GZIP));
        assert_eq!(wire.reply().status, 200);
        let got = got.lock().expect("a lock").clone();
        assert_eq!(got.body, b"HELLO", "{plugin} {}", got.head);
        assert!(!got.head.contains("content-encoding"), "{}", got.head);
        let mut wire = Wire::connect(gateway.address);
        wire.send(coded(b"this is no gzip at all"));
        assert_eq!(wire.reply().status, 400, "{plugin}");
    }
}

#[test]
fn a_wish_at_the_wrong_time_is_refused() {
    let (upstream, got) = upstream(OK);
    let gateway = start_with_bodies(upstream.address, &[("stream", "request:pass early", "")]);
    assert_eq!(gateway.get("/a").status, 200);
    let head = got.lock().expect("a lock").head.clone();
    assert!(head.contains("wrong-phase"), "{head}");
}

#[test]
fn a_filter_is_told_of_a_body_that_will_not_end() {
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        wire.head();
        let _ = wire.chunk();
        let _ = gone.lock().expect("a lock").recv();
    });
    let gateway = start_with_bodies(upstream.address, &[("stream", "request:pass", "")]);
    for left in 1..=3 {
        let mut wire = Wire::connect(gateway.address);
        wire.send("POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
        let calls = "portcullis_filter_calls_total{route=\"r\",plugin=\"stream\",hook=\"request_body\",position=\"0\"} ";
        eventually("the filter has seen the chunk", || {
            gateway.metric(calls) == Some(f64::from(left))
        });
        drop(wire);
        let told = "portcullis_plugin_dropped_total{plugin=\"stream\",known=\"true\"} ";
        eventually("the filter is told", || {
            gateway.metric(told) == Some(f64::from(left))
        });
        go.send(()).expect("the upstream waits");
    }
}

#[test]
fn chunks_pass_one_by_one_and_a_slow_reader_stops_the_writer() {
    const LENGTH: usize = 40 << 20;
    let (go, gone) = mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let upstream = Scripted::start(move |mut wire| {
        let head = wire.head();
        let gone = gone.lock().expect("a lock");
        gone.recv().expect("the client has stalled");
        let (read, _) = body(&mut wire, &head);
        wire.send(if read == vec![b'A'; LENGTH] {
            OK
        } else {
            "HTTP/1.1 400 Bad\r\n\r\n"
        });
    });
    let gateway = start_with_bodies(upstream.address, &[("stream", "request:upper", "")]);
    let resident = |gateway: &Gateway| {
        gateway
            .metric("process_resident_memory_bytes ")
            .expect("a figure")
    };
    let before = resident(&gateway);
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n"
    ));
    let body = vec![b'a'; LENGTH];
    let sent = wire.send_until_stalled(&body, std::time::Duration::from_millis(500));
    assert!(sent < LENGTH, "the gateway took all that nobody reads");
    let grown = resident(&gateway) - before;
    assert!(grown < f64::from(8 << 20), "{grown} bytes more");
    go.send(()).expect("the upstream waits");
    wire.send(&body[sent..]);
    let reply: Reply = wire.reply();
    assert_eq!(reply.status, 200);
}

#[test]
fn a_filter_is_shown_a_bounded_part_at_once() {
    const LENGTH: usize = 8 << 20;
    let upstream = Scripted::start(|mut wire| {
        let head = wire.head();
        let (read, _) = body(&mut wire, &head);
        wire.send(match read.len() {
            LENGTH => OK,
            _ => "HTTP/1.1 400 Bad\r\n\r\n",
        });
    });
    let gateway = start_with_bodies(upstream.address, &[("stream", "request:small", "")]);
    let mut wire = Wire::connect(gateway.address);
    wire.send(format!(
        "PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n"
    ));
    wire.send(vec![b'a'; LENGTH]);
    assert_eq!(wire.reply().status, 200);
}
