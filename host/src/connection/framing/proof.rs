//! What holds of the framing of any bytes, in whatever parts they come.

use super::{Framing, Most, Then};

const MOST: Most = Most {
    bytes: 64 << 10,
    fields: 100,
};

/// Bytes in any parts: the verdict is that on the whole, and what passes for a head
/// is one for the HTTP library, with the same end.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(bytes: &[u8], cuts: &[u16]) {
    let whole = fed(bytes, |_| bytes.len());
    let mut cuts = cuts.iter().cycle();
    let by_cuts = fed(bytes, |_| {
        cuts.next().map_or(1, |cut| usize::from(*cut) + 1)
    });
    assert_eq!(whole, by_cuts, "in other parts another verdict");
    // A head is looked at again with each byte.
    if bytes.len() <= 2_048 {
        assert_eq!(whole, fed(bytes, |_| 1), "byte by byte another verdict");
        heads_are_heads(bytes);
    }
}

/// How much may be handed on, and what comes then, if parts come in these lengths.
fn fed(bytes: &[u8], mut part: impl FnMut(usize) -> usize) -> (usize, Then) {
    let (mut framing, mut begin, mut end) = (Framing::default(), 0, 0);
    while end < bytes.len() {
        end = (end + part(end)).min(bytes.len());
        let fed = framing.feed(&bytes[begin..end], MOST);
        assert!(fed.good <= end - begin, "more than there is");
        begin += fed.good;
        if fed.then != Then::More {
            return (begin, fed.then);
        }
    }
    (begin, Then::More)
}

/// Every head that passes ends where `httparse` says that it ends, unless that refuses it.
fn heads_are_heads(bytes: &[u8]) {
    let (mut framing, mut begin) = (Framing::default(), 0);
    for end in 1..=bytes.len() {
        let before = framing;
        let part = &bytes[begin..end];
        let fed = framing.feed(part, MOST);
        if fed.then != Then::More {
            return;
        }
        begin += fed.good;
        let empty_line = part == b"\r\n";
        if before == Framing::Head && fed.good > 0 && !empty_line && framing != Framing::Other {
            head_is_head(&part[..fed.good]);
        }
    }
}

fn head_is_head(head: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) => assert_eq!(length, head.len(), "another end"),
        Ok(httparse::Status::Partial) => panic!("a head that does not end"),
        // It answers with an error then, and closes.
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::holds;

    /// Pieces of which messages are made, good ones and bad ones.
    const PIECES: [&str; 36] = [
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "GET http://a/b HTTP/1.0\r\n",
        "PRI * HTTP/2.0\r\n\r\n",
        "host: a\r\n",
        "Host: b\r\n",
        "content-length: 5\r\n",
        "Content-Length: 0\r\n",
        "content-length: 01\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "x: y\r\n",
        "x : y\r\n",
        " folded\r\n",
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "hello",
        "5\r\nhello\r\n",
        "0\r\n\r\n",
        "0;a=b\r\nt: u\r\n\r\n",
        "0x1\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
        "1;\n",
        "a;\"b\r\n",
        "\0",
        ":",
        " ",
        "\t",
        "#",
        "\\",
        "%2e",
        "\u{e9}",
        "PRI * HT",
    ];

    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            12 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..8),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_verdict_does_not_depend_on_how_bytes_come(
            bytes in messages(),
            cuts in vec(0_u16..40, 1..6),
        ) {
            holds(&bytes, &cuts);
        }

        #[test]
        fn noise_has_a_verdict(bytes in vec(any::<u8>(), 0..400), cuts in vec(any::<u16>(), 1..4)) {
            holds(&bytes, &cuts);
        }
    }
}
