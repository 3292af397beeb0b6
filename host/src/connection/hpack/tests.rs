//! What is found in fields, however they are cut. The library itself is what the
//! tables are held to, in `tests/it/fragments.rs`.

use super::*;

/// The frame's payload after it was read along, in parts of each size, and whether
/// there was a fragment.
fn read(flags: u8, payload: &[u8]) -> (Vec<u8>, bool) {
    let mut seen = Vec::new();
    for cut in [1, 2, 3, 7, usize::MAX] {
        let mut targets = Targets::new();
        let mut bytes = payload.to_vec();
        targets.frame(flags, u32::try_from(payload.len()).expect("short"));
        for part in bytes.chunks_mut(cut.min(payload.len()).max(1)) {
            targets.feed(part);
        }
        seen.push((bytes, targets.take_found()));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    seen.remove(0)
}

#[test]
fn a_fragment_of_a_target_is_what_no_path_has() {
    let plain = |first: &[u8], text: &[u8]| [first, &[text.len() as u8], text].concat();
    let coded = |first: &[u8], text: &[u8]| [first, &[0x80 | text.len() as u8], text].concat();
    for (block, expected) in [
        // By the name's place, added to the table, not, and never.
        (plain(b"\x44", b"/a#b"), plain(b"\x44", b"/a>b")),
        (plain(b"\x04", b"/a#b#"), plain(b"\x04", b"/a>b>")),
        (plain(b"\x15", b"#"), plain(b"\x15", b">")),
        (
            coded(b"\x44", b"\x60\x7f\xf5\x1f"),
            coded(b"\x44", b"\x60\x7f\xf7\x1f"),
        ),
        (
            coded(b"\x04", b"\x60\x7f\xf5\x1f"),
            coded(b"\x04", b"\x60\x7f\xf7\x1f"),
        ),
        // By its name, in the code or not.
        (
            plain(b"\x40\x05:path", b"/#"),
            plain(b"\x40\x05:path", b"/>"),
        ),
        (
            plain(b"\0\x84\xb9\x58\xd3\x3f", b"/#"),
            plain(b"\0\x84\xb9\x58\xd3\x3f", b"/>"),
        ),
        // By the place of one that was added.
        (
            plain(b"\x44\x01/\x7e", b"/#"),
            plain(b"\x44\x01/\x7e", b"/>"),
        ),
        // Behind others, one of which is longer than one byte can say.
        (
            plain(
                &[b"\x82\x86\0\x01x\x7f\x49", &[b'#'; 200][..], b"\x44"].concat(),
                b"/#",
            ),
            plain(
                &[b"\x82\x86\0\x01x\x7f\x49", &[b'#'; 200][..], b"\x44"].concat(),
                b"/>",
            ),
        ),
    ] {
        let shown = block.escape_ascii().to_string();
        assert_eq!(read(0, &block), (expected, true), "{shown}");
    }
}

#[test]
fn what_is_no_target_is_left_as_it_is() {
    let large = [b"\x40\x05:path\x7f\xe1\x1e", &[b'a'; 4064][..]].concat();
    for block in [
        &b"\x84\x85\x82"[..],
        b"\x44\x04/a?b",
        b"\x40\x01x\x01#",
        b"\0\x06:paths\x01#",
        b"\0\x04:pat\x01#",
        b"\x40\x05:xath\x01#",
        // The place of `x`, which was added last.
        b"\x44\x01/\x40\x01x\x01y\x7e\x01#",
        // A place where nothing is.
        b"\x44\x01/\x7f\x10\x01#",
        // The table has become too small for `:path`, or it was too large for the table.
        b"\x44\x01/\x20\x3f\xe1\x1f\x40\x01x\x01y\x7e\x01#",
        &[&large[..], b"\x40\x01x\x01y\x7e\x01#"].concat(),
        // A number without an end.
        b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x44\x01#",
    ] {
        let shown = block.escape_ascii().to_string();
        assert_eq!(read(0, block), (block.to_vec(), false), "{shown}");
    }
}

/// The names of the two newest entries.
fn newest(table: &Table) -> [Option<Name>; 2] {
    [62, 63].map(|place| table.name(place))
}

/// `:path`, one of one character, and that of an entry that is not there.
fn names() -> [Name; 3] {
    [(5, true), (1, false), (0, false)].map(|(length, is_path)| Name::new(length, is_path))
}

#[test]
fn an_entry_counts_for_thirty_two_bytes_more_than_it_says() {
    let [path, other, none] = names();
    // RFC 7541 §4.1: 5 + 1 + 32 and 1 + 7 + 32.
    for (size, expected) in [(78, [other, path]), (77, [other, none]), (39, [none, none])] {
        let mut table = Table::default();
        table.resize(size);
        table.add(path, 1);
        table.add(other, 7);
        assert_eq!(newest(&table), expected.map(Some), "{size}");
    }
}

#[test]
fn an_entry_larger_than_the_table_empties_it_and_is_not_there() {
    let [path, other, none] = names();
    // RFC 7541 §4.4: the largest that fits is 4,096 bytes with its own 32.
    for (value, expected) in [(4_063, [other, none]), (4_064, [none, none])] {
        let mut table = Table::default();
        table.add(path, 1);
        table.add(other, value);
        assert_eq!(newest(&table), expected.map(Some), "{value}");
    }
}

#[test]
fn padding_and_priority_are_no_fields() {
    let payload = b"\x03\x44\x01#\x01\x44\x44\x02/#\x44\x01#";
    let expected = b"\x03\x44\x01#\x01\x44\x44\x02/>\x44\x01#";
    assert_eq!(read(PADDED | PRIORITY, payload), (expected.to_vec(), true));
    for short in [&b""[..], b"\xff", b"\xff\x44\x01#"] {
        assert_eq!(read(PADDED | PRIORITY, short), (short.to_vec(), false));
    }
}

#[test]
fn characters_of_the_code_are_counted() {
    // RFC 7541 appendix C.
    let cases: [(&[u8], u64); 5] = [
        (b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 15),
        (b"\xa8\xeb\x10\x64\x9c\xbf", 8),
        (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", 12),
        (
            b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
            29,
        ),
        (
            b"\x9d\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3",
            23,
        ),
    ];
    for (bytes, characters) in cases {
        let (mut code, mut found) = (Huffman::default(), false);
        let mut bytes = bytes.to_vec();
        let count: u64 = bytes
            .iter_mut()
            .map(|byte| code.feed(byte, true, &mut found))
            .sum();
        assert_eq!((count, found), (characters, false));
    }
}
