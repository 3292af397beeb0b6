//! Heads of the PROXY protocol, good and bad.

use super::*;

fn read(mut bytes: &[u8]) -> Result<(Option<SocketAddr>, usize), SenderError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let found = runtime.block_on(sender(&mut bytes))?;
    Ok((found, bytes.len()))
}

/// A head of version 2.
fn block(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [SIGNATURE, &[version, family][..], &length, rest].concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 1, 187];

#[test]
fn who_is_behind_it_is_told_and_what_follows_is_left() {
    let mut v6 = [0; 36];
    v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
    v6[15] = 1;
    v6[33] = 80;
    let with_more = [&V4[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
    let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
        (
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n".to_vec(),
            Some("192.0.2.1:4711"),
        ),
        (
            b"PROXY TCP6 2001:db8::1 ::1 80 443\r\n".to_vec(),
            Some("[2001:db8::1]:80"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (
            b"PROXY UNKNOWN ffff:f::1 ffff::1 65535 65535\r\n".to_vec(),
            None,
        ),
        (block(0x21, 0x11, &V4), Some("192.0.2.1:4711")),
        (block(0x21, 0x12, &V4), Some("192.0.2.1:4711")),
        (block(0x21, 0x11, &with_more), Some("192.0.2.1:4711")),
        (block(0x21, 0x21, &v6), Some("[2001:db8::1]:80")),
        (block(0x20, 0x00, &[]), None),
        (block(0x20, 0x11, &V4), None),
        (block(0x21, 0x00, &[1, 2, 3]), None),
        (block(0x21, 0x31, &[0; 216]), None),
    ];
    for (head, expected) in cases {
        let bytes = [&head[..], b"GET /"].concat();
        let (found, left) = read(&bytes).expect("a good head");
        let found = found.map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{head:?}");
        assert_eq!(left, 5, "{head:?}");
    }
}

#[test]
fn what_is_no_head_is_refused() {
    let lines = [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 4711\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 4711 443 x\r\n",
        "PROXY TCP4 192.0.2.1  10.0.0.1 4711 443\r\n",
        "PROXY TCP4 ::1 ::1 4711 443\r\n",
        "PROXY TCP6 192.0.2.1 10.0.0.1 4711 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 +711 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 71111 443\r\n",
        "PROXY TCP4 192.0.2.256 10.0.0.1 4711 443\r\n",
        "PROXY tcp4 192.0.2.1 10.0.0.1 4711 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\n and no end",
    ];
    let mut cases: Vec<Vec<u8>> = lines.map(|line| line.as_bytes().to_vec()).into();
    cases.push([b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat());
    cases.push([&b"PROXY TCP4 "[..], &[0xff; 20], b"\r\n"].concat());
    cases.push(block(0x11, 0x11, &V4));
    cases.push(block(0x22, 0x11, &V4));
    cases.push(block(0x21, 0x13, &V4));
    cases.push(block(0x21, 0x41, &V4));
    cases.push(block(0x21, 0x11, &V4[..11]));
    cases.push(block(0x21, 0x21, &V4));
    cases.push(block(0x21, 0x31, &[0; 100]));
    cases.push(block(0x21, 0x11, &[0; LONGEST_REST + 1]));
    for case in cases {
        assert!(
            read(&case).is_err(),
            "{:?}",
            case.escape_ascii().to_string()
        );
    }
}

#[test]
fn any_bytes_are_read_to_an_end() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
        match round % 3 {
            0 => drop(bytes.splice(..0, *SIGNATURE)),
            1 => drop(bytes.splice(..0, *b"PROXY TCP4 ")),
            _ => {}
        }
        let length = bytes.len();
        if let Ok((_, left)) = read(&bytes) {
            assert!(length - left <= 16 + LONGEST_REST);
        }
    }
}
