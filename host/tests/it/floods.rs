//! What a client of HTTP/2 may make the gateway do for nothing: cases 31 and 32.

use std::{collections::BTreeMap, thread, time::Duration};

use crate::support::{
    Gateway, Http2, Scripted, Upstream, Wire, eventually,
    frames::{
        ACK, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM,
        SETTINGS, WINDOW_UPDATE, fields, frame,
    },
    one_route, resident_memory,
};

const GET: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "a.example"),
];

fn start(upstream: &Upstream, limits: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "");
    Gateway::start(&[], &format!("{limits}{route}"))
}

fn refused(gateway: &Gateway, reason: &str) -> f64 {
    let series = format!("portcullis_refused_total{{reason=\"{reason}\"}}");
    gateway
        .metric(&series)
        .expect("a series that is always there")
}

// Case 31.
#[test]
fn frames_that_only_make_work_end_their_connection_and_touch_nobody_else() {
    let upstream = Upstream::start("a");
    let limits = "limits: { flood_penalty: 0s, http2: { small_frames: 1000 } }\n";
    let gateway = start(&upstream, limits);
    let bystander = Http2::connect(gateway.address, "a.example");
    let head = fields(GET);
    let open = frame(HEADERS, END_HEADERS, 1, &head);
    let part = frame(HEADERS, 0, 1, &head);
    let floods: [(&str, Vec<u8>, Vec<u8>); 8] = [
        ("PING", Vec::new(), frame(PING, 0, 0, &[0; 8])),
        (
            "acknowledged PING",
            Vec::new(),
            frame(PING, ACK, 0, &[0; 8]),
        ),
        (
            "SETTINGS",
            Vec::new(),
            frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
        ),
        (
            "PRIORITY",
            Vec::new(),
            frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
        ),
        ("empty DATA", open.clone(), frame(DATA, 0, 1, b"")),
        ("DATA of a byte", open, frame(DATA, 0, 1, b"x")),
        (
            "WINDOW_UPDATE",
            Vec::new(),
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        ),
        ("CONTINUATION", part, frame(9, 0, 1, b"")),
    ];
    for (number, (name, first, of)) in floods.iter().enumerate() {
        let mut client = Frames::connect(gateway.address);
        client.raw(first);
        client.raw(&of.repeat(5_000));
        // If the reset of the socket has left it readable.
        if let Some(away) = client.next_of(GOAWAY) {
            assert_ne!(away.payload[7], 0, "{name}: an error");
        }
        assert!(client.next().is_none(), "{name}: the connection is closed");
        let whole = bystander.send("GET", "/", &[], "").expect("a reply");
        assert_eq!(whole.reply.status, 200, "{name}");
        // The library itself bounds the last.
        if *name != "CONTINUATION" {
            eventually(name, || {
                let reasons = ["control_frames", "resets", "small_frames"];
                let counted = reasons.map(|reason| refused(&gateway, reason));
                counted.iter().sum::<f64>() >= (number + 1) as f64
            });
        }
    }
}

// Case 31.
#[test]
fn requests_that_are_taken_back_one_by_one_are_a_flood_too() {
    let upstream = Upstream::start("a");
    upstream.delay(Duration::from_secs(30));
    let gateway = start(&upstream, "limits: { http2: { control_frames: 50 } }\n");
    let mut client = Frames::connect(gateway.address);
    let head = fields(GET);
    for number in 0..60 {
        let stream = 1 + 2 * number;
        client.send(HEADERS, END_HEADERS | END_STREAM, stream, &head);
        let hits = number as usize;
        eventually("it is looked at", || {
            upstream.hits() > hits || refused(&gateway, "resets") > 0.0
        });
        client.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    }
    client.next_of(GOAWAY);
    assert!(client.next().is_none(), "the connection is closed");
    assert_eq!(refused(&gateway, "resets"), 1.0);
    assert!(upstream.hits() <= 51, "{}", upstream.hits());
}

// Case 31.
#[test]
fn a_client_that_measures_while_it_downloads_is_no_flood() {
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "limits: { http2: { control_frames: 20 } }\n");
    let mut client = Frames::connect(gateway.address);
    for number in 0..100 {
        let stream = 1 + 2 * number;
        client.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(GET));
        client.send(PING, 0, 0, &[0; 8]);
        assert!(client.next_of(HEADERS).is_some(), "{number}");
    }
    assert_eq!(refused(&gateway, "control_frames"), 0.0);
}

// Case 31: who gets messages of a byte gives both windows again for each, measures
// how fast they come, and answers with as little.
#[test]
fn a_stream_of_small_messages_both_ways_is_no_flood() {
    const MESSAGES: usize = 400;
    let upstream = Scripted::start(|mut wire| {
        wire.head();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        // The client's message, in a chunk of its own, lets the next one go.
        for _ in 0..MESSAGES {
            wire.send("1\r\nx\r\n");
            wire.chunk();
        }
        wire.send("0\r\n\r\n");
    });
    let route = one_route(&[upstream.address], "", "");
    let few = "limits: { http2: { control_frames: 20, small_frames: 100 } }\n";
    let gateway = Gateway::start(&[], &format!("{few}{route}"));
    let mut client = Frames::connect(gateway.address);
    let post = [&[(":method", "POST")], &GET[1..]].concat();
    client.send(HEADERS, END_HEADERS, 1, &fields(&post));
    let mut messages = 0;
    while let Some(next) = client.next() {
        assert_ne!(next.kind, GOAWAY, "after {messages} messages");
        if next.kind == DATA && !next.payload.is_empty() {
            messages += 1;
            for stream in [0, 1] {
                client.send(WINDOW_UPDATE, 0, stream, &[0, 0, 0, 1]);
            }
            client.send(PING, 0, 0, &[0; 8]);
            client.send(DATA, 0, 1, b"y");
        }
        if next.stream == 1 && next.flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(messages, MESSAGES);
    let counted = ["control_frames", "small_frames"].map(|reason| refused(&gateway, reason));
    assert_eq!(counted, [0.0, 0.0]);
}

// Case 31: else a client comes again as often as it is thrown out.
#[test]
fn who_has_flooded_gets_no_connection_for_a_while() {
    let upstream = Upstream::start("a");
    let limits = "limits: { flood_penalty: 400ms, http2: { control_frames: 20 } }\n";
    let gateway = start(&upstream, limits);
    let bystander = Http2::connect(gateway.address, "a.example");
    // It is served, and so its connection is there before the flood.
    let whole = bystander.send("GET", "/", &[], "").expect("a reply");
    assert_eq!(whole.reply.status, 200);
    let mut client = Frames::connect(gateway.address);
    client.raw(&frame(PING, 0, 0, &[0; 8]).repeat(100));
    while client.next().is_some() {}
    let mut again = Wire::connect(gateway.address);
    assert!(again.rest().is_empty(), "closed without a word");
    assert!(refused(&gateway, "flood_penalty") > 0.0);
    let whole = bystander.send("GET", "/", &[], "").expect("a reply");
    assert_eq!(whole.reply.status, 200, "what is there stays");
    eventually("it is let in again", || {
        let mut wire = Wire::connect(gateway.address);
        wire.try_send("GET / HTTP/1.1\r\nhost: a\r\n\r\n") && wire.head().contains(" 200 ")
    });
}

// Case 31: a proxy that is trusted has the connections of many.
#[test]
fn a_proxy_whose_client_has_flooded_goes_on() {
    let upstream = Upstream::start("a");
    let limits = "trusted_proxies: [127.0.0.1]\n\
        limits: { flood_penalty: 60s, http2: { control_frames: 20 } }\n";
    let gateway = start(&upstream, limits);
    let mut client = Frames::connect(gateway.address);
    client.raw(&frame(PING, 0, 0, &[0; 8]).repeat(100));
    while client.next().is_some() {}
    assert_eq!(refused(&gateway, "control_frames"), 1.0);
    assert_eq!(gateway.get("/").status, 200);
}

// Case 31: what may come, but takes a worker long.
#[test]
fn frames_that_come_all_at_once_take_turns_with_others() {
    const FRAMES: usize = 900_000;
    /// Without turns there are less than a hundred.
    const ANSWERS: usize = 300;
    let upstream = Upstream::start("a");
    let gateway = start(
        &upstream,
        "limits: { http2: { control_frames: 1000000 } }\n",
    );
    let address = gateway.address;
    // Some of them at the same worker.
    let bystanders = [(); 8].map(|()| Http2::connect(address, "a.example"));
    let pouring = thread::spawn(move || {
        let mut client = Frames::connect(address);
        let frames = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]).repeat(FRAMES);
        client.raw(&frames);
        client.send(PING, 0, 0, b"are you?");
        client.next_of(PING).is_some()
    });
    let mut answers = 0;
    for bystander in bystanders.iter().cycle() {
        let whole = bystander.send("GET", "/", &[], "").expect("a reply");
        assert_eq!(whole.reply.status, 200);
        answers += 1;
        if pouring.is_finished() {
            break;
        }
    }
    assert!(pouring.join().expect("no panic"), "all of it was read");
    assert!(answers >= ANSWERS, "{answers} answers");
}

#[test]
fn requests_that_come_all_at_once_are_served_whole() {
    const REQUESTS: u32 = 90;
    /// The library lets two thousand small ones wait.
    const PARTS: usize = 20;
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "");
    let long = "l".repeat(100);
    let post = [&[(":method", "POST")], &GET[1..], &[("x-long", &long)]].concat();
    let streams = || (0..REQUESTS).map(|number| 1 + 2 * number);
    let part = |stream, part| format!("{stream:04} {part:04} ");
    // Room for all answers.
    let mut bytes = frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 20).to_be_bytes());
    for stream in streams() {
        bytes.extend(frame(HEADERS, END_HEADERS, stream, &fields(&post)));
    }
    for number in 1..=PARTS {
        let flags = if number == PARTS { END_STREAM } else { 0 };
        for stream in streams() {
            bytes.extend(frame(DATA, flags, stream, part(stream, number).as_bytes()));
        }
    }
    let mut client = Frames::connect(gateway.address);
    client.raw(&bytes);
    let mut answers: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut open = REQUESTS;
    while open > 0 {
        let next = client.next().expect("an answer");
        match next.kind {
            DATA => {
                answers.entry(next.stream).or_default().extend(next.payload);
                open -= u32::from(next.flags & END_STREAM);
            }
            HEADERS | SETTINGS | WINDOW_UPDATE => {}
            other => panic!("frame of kind {other}: {next:?}"),
        }
    }
    for stream in streams() {
        let answer: serde_json::Value =
            serde_json::from_slice(&answers[&stream]).expect("what it was asked");
        let body: String = (1..=PARTS).map(|number| part(stream, number)).collect();
        assert_eq!(answer["body"], body);
    }
}

/// Fields of one byte each, which stand for one that was sent before
/// (RFC 7541 §6.1).
fn bomb(count: usize) -> Vec<u8> {
    // :method GET, :scheme http, :path /, and an :authority of one letter.
    [
        &[0x82, 0x86, 0x84, 0x01, 0x01, b'a'][..],
        &vec![0xbe; count],
    ]
    .concat()
}

// Case 32.
#[test]
fn fields_that_are_short_on_the_wire_and_long_in_memory_are_bounded() {
    const CONNECTIONS: u64 = 20;
    const STREAMS: u32 = 100;
    let upstream = Upstream::start("a");
    let gateway = start(&upstream, "limits: { flood_penalty: 0s }\n");
    assert_eq!(gateway.get("/").status, 200);
    for (name, count, most) in [("of too many fields", 400, 10), ("cookies", 3_000, 10)] {
        let before = resident_memory(gateway.pid());
        let mut sent = 0;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut client = Frames::connect(gateway.address);
            // No window, so that no answer leaves.
            let mut bytes = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
            let mut first = bomb(0);
            // `cookie: ` enters the table of fields.
            first.extend([0x40, 6]);
            first.extend(b"cookie");
            first.push(0);
            bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &first));
            for number in 1..STREAMS {
                let stream = 1 + 2 * number;
                bytes.extend(frame(
                    HEADERS,
                    END_HEADERS | END_STREAM,
                    stream,
                    &bomb(count),
                ));
            }
            sent += bytes.len() as u64;
            client.raw(&bytes);
            client.send(PING, 0, 0, b"are you?");
            assert!(
                client.next_of(PING).is_some(),
                "{name}: all of it was looked at"
            );
            held.push(client);
        }
        let grown = resident_memory(gateway.pid()).saturating_sub(before);
        assert!(
            grown <= sent * most,
            "{name}: {grown} bytes for {sent} that were sent"
        );
        eprintln!(
            "{name}: {:.1} bytes held per byte sent",
            grown as f64 / sent as f64
        );
        drop(held);
        eventually("their connections are gone", || {
            gateway.metric("portcullis_connections") <= Some(1.0)
        });
    }
}
