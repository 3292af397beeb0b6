//! Heads and bodies, byte by byte.

use http::Uri;

use super::{target::LONGEST, *};

const MOST: Most = Most {
    bytes: 64 << 10,
    fields: 100,
};

/// What becomes of bytes that come in parts of this length.
fn fed(bytes: &[u8], part: usize) -> (usize, Then) {
    let (mut framing, mut begin) = (Framing::default(), 0);
    let mut end = 0;
    while end < bytes.len() {
        end = (end + part).min(bytes.len());
        let fed = framing.feed(&bytes[begin..end], MOST);
        begin += fed.good;
        if fed.then != Then::More {
            return (begin, fed.then);
        }
    }
    (begin, Then::More)
}

#[test]
fn what_has_one_meaning_passes_whole() {
    for good in [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\nGET /a?b=c%20d HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\nGET http://a/b HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nA;a=\"b\"\r\n0123456789\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0",
        "GET /a HTTP/1.1\r\nx-utf8: \u{e9}\r\nx-tab: a\tb\r\nx-empty:\r\n\r\n",
    ] {
        for part in [1, 2, 3, 7, 1_000] {
            assert_eq!(
                fed(good.as_bytes(), part),
                (good.len(), Then::More),
                "{good:?}"
            );
        }
    }
}

#[test]
fn a_head_that_could_be_read_in_two_ways_is_refused_before_a_byte_of_it_passed() {
    for bad in [
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET foo HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a\\b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 01\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: \u{b}chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: \u{c}chunked\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 5\u{c}\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\r\n\r\n",
        "CONNECT  HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let first = "GET /first HTTP/1.1\r\nhost: a\r\n\r\n";
        let bytes = [first, bad].concat();
        for part in [1, 3, 1_000] {
            let (good, then) = fed(bytes.as_bytes(), part);
            assert_eq!(good, first.len(), "{bad:?}");
            assert!(matches!(then, Then::BadHead(_)), "{bad:?}");
        }
    }
}

#[test]
fn a_body_breaks_off_where_its_framing_is_malformed() {
    let long = format!("5;{}", "x".repeat(LONGEST_CHUNK_LINE));
    for (chunks, good) in [
        ("0x1\r\n", 1),
        ("\r\n", 1),
        ("5;\nhello", 2),
        ("5\nhello", 1),
        ("-1\r\n", 0),
        ("fffffffffffffffff\r\n", 16),
        ("5\r\nhelloX", 8),
        ("5\r\nhello\n", 8),
        ("0\r\nx: y\n", 7),
        ("0\r\n x: y\r\n", 3),
        (&long, LONGEST_CHUNK_LINE),
    ] {
        let head = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        let bytes = [head, chunks].concat();
        for part in [1, 3, 10_000] {
            let (passed, then) = fed(bytes.as_bytes(), part);
            assert_eq!(passed - head.len(), good, "{chunks:?}");
            assert!(matches!(then, Then::BadBody(_)), "{chunks:?}");
        }
    }
}

#[test]
fn a_head_over_its_limits_is_told_from_one_that_is_malformed() {
    let head = |fields: usize, length: usize| {
        let most = "GET / HTTP/1.1\r\n".len() + 4 * fields + 2;
        let first = format!("x:{}\r\n", "x".repeat(length.saturating_sub(most)));
        format!(
            "GET / HTTP/1.1\r\n{first}{}\r\n",
            "x:\r\n".repeat(fields - 1)
        )
    };
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(LONGEST));
    for (head, good) in [
        (head(100, 0), true),
        (head(101, 0), false),
        (head(1, MOST.bytes), true),
        (head(1, MOST.bytes + 1), false),
        (long, false),
    ] {
        let expected = match good {
            true => (head.len(), Then::More),
            false => (0, Then::BadHead(TOO_LARGE)),
        };
        for part in [1 << 10, usize::MAX / 2] {
            assert_eq!(fed(head.as_bytes(), part), expected, "{} bytes", head.len());
        }
    }
}

#[test]
fn what_the_library_takes_for_no_target_is_refused_before() {
    for (target, good) in [
        ("/a\"b", true),
        ("/a<b", false),
        ("/a>b", false),
        ("/a`b", false),
        ("/a?b`c", true),
        ("/a?b\"c", false),
        ("/a?b<c", false),
        ("/{a}|^~", true),
        ("http://a/b", true),
        ("http://a b/", false),
        ("http://[::1/", false),
        ("http://a:99999/", true),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\n\r\n");
        let passes = fed(head.as_bytes(), 64).0 == head.len();
        assert_eq!(passes, good, "{target}");
        assert_eq!(
            passes,
            Uri::try_from(target).is_ok(),
            "{target}: the library"
        );
    }
}
