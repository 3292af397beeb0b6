//! What holds of the framing of any bytes, in whatever parts they come.

mod book;

use super::{Framing, Most, Then};
use book::{End, Read};

const MOST: Most = Most {
    bytes: 64 << 10,
    fields: 100,
};

/// Bytes in any parts: the verdict is that on the whole and what the RFC says, messages
/// begin where it says, and what passes for a head is one for the HTTP library, with the
/// same end.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(bytes: &[u8], cuts: &[u16]) {
    let whole = Fed::of(bytes, |_| bytes.len());
    let mut cuts = cuts.iter().cycle();
    let by_cuts = Fed::of(bytes, |_| {
        cuts.next().map_or(1, |cut| usize::from(*cut) + 1)
    });
    assert_eq!(
        whole.verdict(),
        by_cuts.verdict(),
        "in other parts another verdict"
    );
    let book = book::read(bytes);
    whole.is_by(&book);
    // A head is looked at again with each byte.
    if bytes.len() <= 2_048 {
        let bytewise = Fed::of(bytes, |_| 1);
        assert_eq!(
            whole.verdict(),
            bytewise.verdict(),
            "byte by byte another verdict"
        );
        assert_eq!(bytewise.begins, book.begins, "messages begin elsewhere");
        heads_are_heads(bytes);
    }
}

/// An input of the fuzz target: two bytes that say the parts, so that a corpus is
/// readable text, and what comes in them.
pub(crate) fn fuzzed(input: &[u8]) {
    let (cuts, bytes) = input.split_at(input.len().min(2));
    let cuts: Vec<u16> = cuts.iter().map(|cut| u16::from(cut % 32)).collect();
    holds(bytes, &cuts);
}

/// What becomes of bytes that come in parts.
#[derive(Debug)]
struct Fed {
    /// So many may be handed on.
    good: usize,
    heads: u64,
    then: Then,
    /// Where a message may begin, as far as parts end there.
    begins: Vec<usize>,
}

impl Fed {
    fn of(bytes: &[u8], mut part: impl FnMut(usize) -> usize) -> Self {
        let (mut framing, mut end) = (Framing::default(), 0);
        let mut all = Self {
            good: 0,
            heads: 0,
            then: Then::More,
            begins: Vec::new(),
        };
        while end < bytes.len() && all.then == Then::More {
            end = (end + part(end)).min(bytes.len());
            let fed = framing.feed(&bytes[all.good..end], MOST);
            assert!(fed.good <= end - all.good, "more than there is");
            all.good += fed.good;
            all.heads += fed.heads;
            all.then = fed.then;
            if fed.good > 0 && framing == Framing::Head {
                all.begins.push(all.good);
            }
        }
        all
    }

    fn verdict(&self) -> (usize, u64, &Then) {
        (self.good, self.heads, &self.then)
    }

    /// The verdict is what the RFC says.
    fn is_by(&self, book: &Read) {
        let good = match (&self.then, &book.end) {
            (Then::More, End::More(good)) | (Then::BadHead(_), End::BadHead(good)) => {
                self.good == *good
            }
            // In which byte of the malformed line it breaks off is not told here.
            (Then::BadBody(_), End::BadBody) => {
                book.begins.last().is_none_or(|begin| self.good > *begin)
            }
            _ => false,
        };
        assert!(good, "{self:?} is not by the book: {book:?}");
        assert_eq!(self.heads, book.heads, "heads");
    }
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
    use proptest::{
        collection::vec,
        prelude::*,
        sample::{Index, select},
    };

    use super::{fuzzed, holds};

    /// Pieces of which messages are made, good ones and bad ones.
    const PIECES: [&str; 37] = [
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
        "\u{c}",
        ":",
        " ",
        "\t",
        "#",
        "\\",
        "%2e",
        "\u{e9}",
        "PRI * HT",
    ];

    /// Heads whose bodies follow, so that what comes behind them is read at all.
    const MESSAGES: [&str; 10] = [
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://a/b?c HTTP/1.0\r\nx: y\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n",
        "POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nGET /",
        "POST /a HTTP/1.1\r\nContent-Length: 0\r\nupgrade: b\r\n\r\n",
        "POST /a HTTP/1.1\r\nx: y\r\ncontent-length: 12\r\nupgrade: b\r\n\r\nPOST / HTTP/\r\n",
        "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "PUT /a HTTP/1.1\r\ntransfer-encoding:Chunked\t\r\n\r\n0A;a=\"b\"\r\n0\r\n\r\nGET /\r\n00\r\nt: u\r\n\r\n",
        "PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];

    const LINES: [&str; 5] = [
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "PUT http://a/b HTTP/1.0\r\n",
        "GET a HTTP/1.1\r\n",
        "GET /a#b HTTP/1.1\r\n",
    ];

    const FIELDS: [&str; 14] = [
        "host: a\r\n",
        "Content-Length: 5\r\n",
        "content-length: 5\r\n",
        "content-length: 0\r\n",
        "content-length: 05\r\n",
        "content-length: 5\u{c}\r\n",
        "content-length: 5, 5\r\n",
        "transfer-encoding: chunked\r\n",
        "Transfer-Encoding: Chunked \r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: \u{c}chunked\r\n",
        "content-length : 5\r\n",
        "upgrade: b\r\n",
        "x: y\n",
    ];

    const BODIES: [&str; 10] = [
        "",
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello00\r\n0\r\n\r\n",
        "10;a=b\r\n0123456789abcdef\r\n0\r\n\r\n",
        "0\r\nt: u\r\nv: w\r\n\r\n",
        "0\r\nt: u\n\r\n",
        "0\r\n t: u\r\n\r\n",
        "0\r\n\n",
    ];

    /// A head of any lines and any body, of which few are good together.
    fn composed() -> impl Strategy<Value = Vec<u8>> {
        let head = (select(&LINES[..]), vec(select(&FIELDS[..]), 0..3));
        let message = (head, select(&BODIES[..]))
            .prop_map(|((line, fields), body)| format!("{line}{}\r\n{body}", fields.concat()));
        vec(message, 1..4).prop_map(|messages| messages.concat().into_bytes())
    }

    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            12 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 0..8),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// Good messages in a row, a few of them with a byte or a piece in place of another
    /// byte, or before it.
    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let other = prop_oneof![
            4 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
            2 => any::<u8>().prop_map(|byte| vec![byte]),
            1 => Just(Vec::new()),
        ];
        let edits = vec((any::<Index>(), 0..2_usize, other), 0..3);
        (vec(select(&MESSAGES[..]), 1..5), edits).prop_map(|(messages, edits)| {
            let mut bytes = messages.concat().into_bytes();
            for (at, gone, other) in edits {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..(at + gone).min(bytes.len()), other);
            }
            bytes
        })
    }

    #[test]
    fn what_fuzzing_has_left_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/framing");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            fuzzed(&std::fs::read(path).expect("a file"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_verdict_does_not_depend_on_how_bytes_come(
            bytes in pieces(),
            cuts in vec(0_u16..40, 1..6),
        ) {
            holds(&bytes, &cuts);
        }

        #[test]
        fn messages_begin_and_end_where_the_rfc_says(
            bytes in messages(),
            cuts in vec(0_u16..40, 1..6),
        ) {
            holds(&bytes, &cuts);
        }

        #[test]
        fn fields_that_are_good_alone_are_not_good_together(
            bytes in composed(),
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
