//! What heads of HTTP/2 hold that are short on the wire. Case 32.

use crate::support::{
    Gateway, Scripted, Upstream, eventually,
    frames::{ACK, END_HEADERS, END_STREAM, Frames, HEADERS, PING, RST_STREAM, frame},
    one_route, resident_memory,
};

/// REFUSED_STREAM and CANCEL (RFC 9113 §7).
const REFUSED: [u8; 4] = [0, 0, 0, 7];
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Nearly all that the table of fields has room for.
const LONG: usize = 3_900;

/// `GET /` of `a`.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 0x01, b'a'];

/// A head with a long cookie, which enters the table, or so many times the one that
/// did before.
fn head(times: Option<usize>) -> Vec<u8> {
    match times {
        Some(times) => [GET, &vec![0xbe; times]].concat(),
        None => {
            // 127 and 3,773 more.
            let name = [&[0x40, 6][..], b"cookie", &[0x7f, 0xbd, 0x1d]].concat();
            [GET, &name, &vec![b'c'; LONG]].concat()
        }
    }
}

/// A service that never answers.
fn silent() -> Scripted {
    Scripted::start(|mut wire| {
        wire.head();
        wire.rest();
    })
}

/// Waits until all that was sent has been looked at; the streams that were reset
/// meanwhile, each with its reason.
fn resets(client: &mut Frames) -> Vec<(u32, Vec<u8>)> {
    client.send(PING, 0, 0, b"are you?");
    let mut seen = Vec::new();
    loop {
        let frame = client.next().expect("the connection goes on");
        match frame.kind {
            PING if frame.flags & ACK != 0 => return seen,
            RST_STREAM => seen.push((frame.stream, frame.payload)),
            _ => {}
        }
    }
}

fn ask(client: &mut Frames, stream: u32, times: Option<usize>) {
    client.send(HEADERS, END_HEADERS | END_STREAM, stream, &head(times));
}

#[test]
fn what_all_heads_of_a_connection_say_is_bounded() {
    let upstream = silent();
    let route = one_route(&[upstream.address], "", "");
    let limits = "limits: { http2: { heads: 64KiB } }\n";
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    let refused = || gateway.metric("portcullis_refused_total{reason=\"head\"}");
    let mut client = Frames::connect(gateway.address);
    ask(&mut client, 1, None);
    for stream in [3, 5, 7, 9, 11] {
        ask(&mut client, stream, Some(4));
    }
    let expected: Vec<_> = [9, 11].map(|stream| (stream, REFUSED.to_vec())).into();
    eventually("the last are refused", || refused() == Some(2.0));
    assert_eq!(resets(&mut client), expected);
    eventually("the others are sent on", || upstream.connections() == 4);
    // One that ends makes room for another.
    client.send(RST_STREAM, 0, 3, &CANCEL);
    let open = || gateway.metric("portcullis_requests_in_flight{route=\"r\"}");
    eventually("it is over", || open() == Some(3.0));
    ask(&mut client, 13, Some(4));
    eventually("it is sent on", || upstream.connections() == 5);
    // What one connection holds is not held against another.
    let mut other = Frames::connect(gateway.address);
    ask(&mut other, 1, None);
    eventually("it is sent on, too", || upstream.connections() == 6);
    assert_eq!(refused(), Some(2.0));
}

/// How much a gateway grows by connections with a hundred requests each, for each of
/// these: what of each first is sent, and then of all others.
fn grows(
    gateway: &Gateway,
    connections: u64,
    settings: &[u8],
    times: Option<usize>,
    looked_at: impl FnMut() -> bool,
) -> (u64, u64) {
    let before = resident_memory(gateway.pid());
    let mut sent = 0;
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut bytes = frame(4, 0, 0, settings);
        for number in 0..100 {
            let head = match times {
                Some(_) if number == 0 => head(None),
                Some(times) => head(Some(times)),
                None => GET.to_vec(),
            };
            bytes.extend(frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                1 + 2 * number,
                &head,
            ));
        }
        sent += bytes.len() as u64;
        let mut client = Frames::connect(gateway.address);
        client.raw(&bytes);
        resets(&mut client);
        held.push(client);
    }
    eventually("all are looked at", looked_at);
    let grown = resident_memory(gateway.pid()).saturating_sub(before);
    (grown, sent)
}

#[test]
fn a_field_of_kilobytes_that_is_one_byte_is_held_a_few_times() {
    const CONNECTIONS: u64 = 10;
    let upstream = silent();
    let limits = "limits: { http2: { resets: 10000 } }\n";
    let route = one_route(&[upstream.address], "", "");
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    // Of the hundred of each connection there is room for 17.
    let refused = || gateway.metric("portcullis_refused_total{reason=\"head\"}") >= Some(800.0);
    let (grown, sent) = grows(&gateway, CONNECTIONS, &[], Some(15), refused);
    let each = grown / CONNECTIONS;
    eprintln!(
        "{each} bytes held by a connection, {} per byte sent",
        grown / sent
    );
    assert!(each < 6 << 20, "{each}");
}

#[test]
fn a_response_that_waits_for_its_client_holds_little() {
    const CONNECTIONS: u64 = 20;
    let upstream = Upstream::start("a");
    // No route takes what is asked, so that it is the gateway that answers.
    let route = one_route(&[upstream.address], "", "").replace("/{*rest}", "/other");
    let gateway = Gateway::start(&[], &route);
    assert_eq!(gateway.get("/").status, 404);
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let series = "portcullis_requests_total{route=\"\",status=\"404\"} ";
    let answered = || gateway.metric(series) >= Some(2_000.0);
    let (grown, _) = grows(&gateway, CONNECTIONS, &[0, 4, 0, 0, 0, 0], None, answered);
    let each = grown / CONNECTIONS / 100;
    eprintln!("{each} bytes held by a response that waits");
    assert!(each < 10 << 10, "{each}");
}
