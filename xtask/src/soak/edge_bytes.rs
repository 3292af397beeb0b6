//! What the clients of `soak edge` send: beginnings of things, and HTTP/2 frame by
//! frame (RFC 9113 §4.1).

use std::{io::Read, net::TcpStream};

/// How often a flood has its frame: at least five times as often as a client may send it
/// in ten seconds.
pub(crate) const REPEATS: usize = 5_000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET /fine` of `a` as HPACK writes it (RFC 7541): method, scheme, path and host.
const GET: &[u8] = b"\x82\x86\x04\x05/fine\x01\x01a";

/// The ways in which connections stall, by name.
pub(crate) const STALLS: [(&str, &[u8]); 6] = [
    ("silence", b""),
    ("half a head", b"GET /fine HTTP/1.1\r\nhost: a\r\nx-a: b"),
    (
        "half a body",
        b"POST /fine HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345",
    ),
    ("half a preface", b"PRI * HTTP/2.0\r\n\r\n"),
    (
        "nothing behind a preface",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ),
    (
        "HEADERS without END_HEADERS",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82",
    ),
];

/// The bytes of a frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn begun(settings: &[u8]) -> Vec<u8> {
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, settings)].concat()
}

/// Requests whose fields are a byte each and stand for a cookie without a value,
/// on a connection without a window.
pub(crate) fn bomb(streams: u32, fields: usize) -> Vec<u8> {
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let mut bytes = begun(&[0, 4, 0, 0, 0, 0]);
    for number in 0..streams {
        let block = match number {
            // The cookie enters the table of fields.
            0 => [GET, b"\x40\x06cookie\0"].concat(),
            _ => [GET, &vec![0xbe; fields]].concat(),
        };
        let stream = 1 + 2 * number;
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &block));
    }
    bytes.extend(frame(PING, 0, 0, b"are you?"));
    bytes
}

/// Waits until a ping is answered; false if the connection ends before, or is to end.
pub(crate) fn is_through(stream: &mut TcpStream) -> bool {
    let mut head = [0; 9];
    while stream.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if stream.read_exact(&mut payload).is_err() {
            return false;
        }
        match head[3] {
            GOAWAY => return false,
            PING if payload == b"are you?" => return true,
            _ => {}
        }
    }
    false
}

/// Floods by name, and what is sent.
pub(crate) fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let begun = begun(b"");
    let flood = |first: &[u8], of: &[u8]| [&begun, first, &of.repeat(REPEATS)].concat();
    let open = frame(HEADERS, END_HEADERS, 1, GET);
    let rapid = (0..REPEATS as u32).flat_map(|number| {
        let stream = 1 + 2 * number;
        let request = frame(HEADERS, END_HEADERS | END_STREAM, stream, GET);
        [request, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    let lying = [GET, b"\x0f\x0d\x011"].concat();
    let made = (0..REPEATS as u32).flat_map(|number| {
        let stream = 1 + 2 * number;
        let request = frame(HEADERS, END_HEADERS, stream, &lying);
        [request, frame(DATA, END_STREAM, stream, b"abc")].concat()
    });
    let window = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]);
    let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    vec![
        ("rapid reset", flood(&rapid.collect::<Vec<_>>(), b"")),
        ("made to reset", flood(&made.collect::<Vec<_>>(), b"")),
        ("PING", flood(b"", &frame(PING, 0, 0, &[0; 8]))),
        ("SETTINGS", flood(b"", &window)),
        ("WINDOW_UPDATE", flood(b"", &update)),
        ("empty DATA", flood(&open, &frame(DATA, 0, 1, b""))),
        ("DATA of a byte", flood(&open, &frame(DATA, 0, 1, b"x"))),
        (
            "CONTINUATION",
            flood(&frame(HEADERS, 0, 1, GET), &frame(CONTINUATION, 0, 1, b"")),
        ),
    ]
}
