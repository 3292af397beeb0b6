//! The result is the same for every split of a body into chunks, and it is
//! what a plain search over the whole would give.

use proptest::prelude::*;
use proptest::sample::select;

use crate::{masked, oracle, regex, rules};

/// Pieces of which many make a match, or nearly.
const PIECES: [&[u8]; 32] = [
    b"a",
    b"b",
    b"c",
    b"ab",
    b"abab",
    b"ca",
    b"d",
    b"do",
    b"o",
    b"x",
    b"xx",
    b"y",
    b"q",
    b" ",
    b"-",
    b"\n",
    b"@",
    b".",
    b"ann@",
    b"a.b",
    b"4111 1111 1111 1111",
    b"41111111",
    b"5555-5555-",
    b"1",
    b"12345",
    b"DE89 3704 0044 0532 0130 00",
    b"GB82",
    b"WEST12345698765432",
    "é".as_bytes(),
    b"\xc3",
    b"\xff",
    b"\0",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(&PIECES[..]), 0..40).prop_map(|pieces| pieces.concat())
}

/// Lengths of chunks, used round and round.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0..4_usize, 0..80_usize], 1..12)
}

fn split<'t>(text: &'t [u8], lengths: &[usize]) -> Vec<&'t [u8]> {
    let mut chunks = Vec::new();
    let mut rest = text;
    // All of them nothing would never come to an end.
    for length in lengths.iter().chain([&1]).cycle() {
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        chunks.push(chunk);
        rest = after;
        if rest.is_empty() {
            return chunks;
        }
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_what_a_plain_search_gives(text in text(), lengths in lengths()) {
        thread_local! {
            static RULES: (Vec<oracle::Plain>, std::rc::Rc<mask::rules::Rules>) = {
                let plain = oracle::all();
                let configs: Vec<_> = plain.iter().map(|rule| rule.config.clone()).collect();
                (plain, rules(&configs, 64 << 10))
            };
        }
        RULES.with(|(plain, rules)| {
            let expected = oracle::masked(plain, &text);
            prop_assert_eq!(&masked(rules, [text.as_slice()]), &expected);
            prop_assert_eq!(&masked(rules, split(&text, &lengths)), &expected);
            Ok(())
        })?;
    }

    #[test]
    fn any_split_gives_the_same_where_matches_are_too_long(text in text(), lengths in lengths()) {
        thread_local! {
            static RULES: std::rc::Rc<mask::rules::Rules> = {
                let configs: Vec<_> = oracle::all().into_iter().map(|rule| rule.config).collect();
                rules(&configs, 48)
            };
        }
        RULES.with(|rules| {
            let expected = masked(rules, [text.as_slice()]);
            prop_assert_eq!(&masked(rules, split(&text, &lengths)), &expected);
            Ok(())
        })?;
    }

    #[test]
    fn a_match_goes_on_as_long_as_its_next_end_is_near(
        text in prop::collection::vec(select(&b"aabbcdx"[..]), 0..120),
        lengths in lengths(),
        expression in select(&["a[abc]*d", "a(?:[abc]*d)+", "[ab]+c?", "ab{2,9}", "a.*b", "(?:aa|b)+"][..]),
        step in 6_usize..20,
    ) {
        let expected = oracle::masked_in_steps(expression, "<>", step, &text);
        let rules = rules(&[regex(expression, "<>")], step);
        let out = masked(&rules, split(&text, &lengths));
        prop_assert_eq!(out, expected, "of {}", text.escape_ascii());
    }
}

/// Beyond the block that is looked at in one go, and with the finder's memory
/// spent more than once.
#[test]
fn large_texts_are_split_like_small_ones() {
    let plain = oracle::all();
    let configs: Vec<_> = plain.iter().map(|rule| rule.config.clone()).collect();
    let rules = rules(&configs, 1_024);
    let mut state = 7_u32;
    let mut text = Vec::new();
    while text.len() < 140_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend_from_slice(PIECES[(state >> 27) as usize]);
        text.extend_from_slice(b"lorem ipsum ");
    }
    let whole = masked(&rules, [text.as_slice()]);
    for length in [1, 7, 1_000, 65_537] {
        assert!(
            masked(&rules, text.chunks(length)) == whole,
            "in chunks of {length}"
        );
    }
    let pieces = text.chunks(3_001).zip(text.chunks(3_001));
    let mut outs = (Vec::new(), Vec::new());
    let mut both = (
        mask::masker::Masker::new(rules.clone()),
        mask::masker::Masker::new(rules),
    );
    for (one, other) in pieces {
        both.0.push(one, &mut outs.0);
        both.1.push(other, &mut outs.1);
    }
    both.0.finish(&mut outs.0);
    both.1.finish(&mut outs.1);
    assert!(outs.0 == whole && outs.1 == whole, "two bodies at once");
}
