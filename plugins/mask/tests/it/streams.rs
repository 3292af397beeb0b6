//! What is held back of a body, and for how long.

use std::rc::Rc;

use mask::config::{Preset, RuleConfig};
use mask::masker::Masker;

use crate::{check, literal, masked, regex, rules};

fn keep_last(regex: &str, count: u8) -> RuleConfig {
    RuleConfig {
        regex: Some(regex.to_owned()),
        keep_last: Some(count),
        ..RuleConfig::default()
    }
}

#[test]
fn what_cannot_become_a_match_is_not_held_back() {
    let rules = rules(&[literal("secret", "***")], 1_024);
    let mut masker = Masker::new(rules);
    for (chunk, expected, held) in [
        ("event: 1\n\n", "event: 1\n\n", 0),
        ("a sec", "a ", 3),
        ("ond", "second", 0),
        ("sec", "", 3),
        ("secre", "sec", 5),
        ("t!", "***!", 0),
        ("secret", "***", 0),
        ("s", "", 1),
    ] {
        let mut out = Vec::new();
        masker.push(chunk.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "after {chunk:?}");
        assert_eq!(masker.held(), held, "after {chunk:?}");
    }
}

#[test]
fn what_is_held_back_has_a_bound() {
    let configs = [
        regex("a[^b]*b", "1"),
        regex("[x-z]+", "2"),
        keep_last("[0-9 ]+[0-9]", 4),
        regex(r"(?s)\(.*\)", "3"),
    ];
    let rules = rules(&configs, 256);
    for piece in [
        "a", "ac", "xyz", "01 ", "0", "   ", "(", "()", ") )", "a(0x", "b",
    ] {
        let mut masker = Masker::new(Rc::clone(&rules));
        let mut out = Vec::new();
        for _ in 0..200 {
            masker.push(piece.repeat(50).as_bytes(), &mut out);
            assert!(masker.held() <= 257, "{} bytes of {piece:?}", masker.held());
        }
    }
}

#[test]
fn a_match_may_be_of_any_length_if_it_can_end_often() {
    let configs = [
        RuleConfig {
            preset: Some(Preset::BearerToken),
            ..RuleConfig::default()
        },
        keep_last("[0-9]+", 4),
    ];
    let rules = rules(&configs, 64);
    let token = "t".repeat(20_000);
    check(&rules, &format!("Bearer {token} end"), "Bearer *** end");
    let digits = "7".repeat(20_000) + "1234";
    let expected = "*".repeat(20_000) + "1234.";
    check(&rules, &format!("{digits}."), &expected);
}

#[test]
fn a_match_ends_where_its_next_end_is_too_far() {
    let rules = rules(&[regex(r"<[^>]*>(?:[^>]*>)*", "#")], 10);
    let near = "<12345678>";
    let far = "123456789>";
    let too_far = "1234567890>";
    check(&rules, near, "#");
    check(&rules, &format!("{near}{far}"), "#");
    check(&rules, &format!("{near}{too_far}"), &format!("#{too_far}"));
    check(&rules, "<123456789>", "<123456789>");
    check(&rules, "<<123456789><1>", "<<123456789>#");
}

#[test]
fn bytes_that_are_no_text_pass_as_they_are() {
    let rules = rules(&[literal("é", "e"), regex(r"\xff\x00", "!")], 64);
    let out = masked(&rules, [b"\xc3\xa9\xc3\xff\xff\x00\x80".as_slice()]);
    assert_eq!(out, b"e\xc3\xff!\x80");
}

#[test]
fn an_empty_body_stays_empty() {
    let rules = rules(&[regex(r"a\z|\Ab", "")], 64);
    assert_eq!(masked(&rules, []), b"");
    assert_eq!(masked(&rules, [b"".as_slice(), b""]), b"");
    assert_eq!(masked(&rules, [b"b".as_slice(), b"a"]), b"");
}
