//! What the names stand for, and what only looks like it.

use mask::config::{Preset, RuleConfig};

use crate::{check, literal, regex, rules};

fn table(preset: Preset, cases: &[(&str, &str)]) {
    let rules = rules(
        &[RuleConfig {
            preset: Some(preset),
            replace: Some("#".to_owned()),
            ..RuleConfig::default()
        }],
        1_024,
    );
    for (text, expected) in cases {
        check(&rules, text, expected);
    }
}

#[test]
fn addresses_of_mail() {
    table(
        Preset::Email,
        &[
            ("ann@example.com", "#"),
            ("to <ann.b+c@mail.example.co.uk>.", "to <#>."),
            (
                "{\"mail\":\"ann@example.com\",\"x\":1}",
                "{\"mail\":\"#\",\"x\":1}",
            ),
            ("a@b.c. Next", "#. Next"),
            (
                "ann@localhost, @ann, ann@, a@.b",
                "ann@localhost, @ann, ann@, a@.b",
            ),
            ("ann@example.com,bob@example.com", "#,#"),
        ],
    );
}

#[test]
fn numbers_of_cards() {
    table(
        Preset::CreditCard,
        &[
            ("4111111111111111", "#"),
            ("card 4111-1111-1111-1111, exp", "card #, exp"),
            ("3782 822463 10005", "#"),
            ("4111 1111 1111 1111 123", "# 123"),
            ("12 4111 1111 1111 1111", "12 #"),
            ("4111111111111112", "4111111111111112"),
            ("1234567890123456", "1234567890123456"),
            ("x4111111111111111", "x4111111111111111"),
            ("41111111111111110000000", "41111111111111110000000"),
            ("4111  1111 1111 1111", "4111  1111 1111 1111"),
        ],
    );
}

#[test]
fn numbers_of_accounts() {
    table(
        Preset::Iban,
        &[
            ("DE89370400440532013000", "#"),
            (
                "IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF",
                "IBAN # BIC COBADEFF",
            ),
            ("GB82WEST12345698765432.", "#."),
            ("DE89370400440532013001", "DE89370400440532013001"),
            ("de89370400440532013000", "de89370400440532013000"),
        ],
    );
}

#[test]
fn social_security_numbers() {
    table(
        Preset::UsSsn,
        &[
            ("123-45-6789", "#"),
            ("ssn=123 45 6789;", "ssn=#;"),
            (
                "000-45-6789 666-45-6789 900-45-6789",
                "000-45-6789 666-45-6789 900-45-6789",
            ),
            ("123-00-6789 123-45-0000", "123-00-6789 123-45-0000"),
            (
                "123456789 1234-45-6789 123-45-67890",
                "123456789 1234-45-6789 123-45-67890",
            ),
        ],
    );
}

#[test]
fn addresses_of_hosts() {
    table(
        Preset::Ipv4,
        &[
            ("10.0.0.1", "#"),
            ("from 192.168.255.254:80", "from #:80"),
            ("256.1.1.1 1.2.3", "256.1.1.1 1.2.3"),
            ("a1.2.3.4", "a1.2.3.4"),
            ("255.255.255.255/32", "#/32"),
        ],
    );
}

#[test]
fn tokens() {
    table(
        Preset::BearerToken,
        &[
            (
                "Authorization: Bearer abc.def-123==\r\n",
                "Authorization: Bearer #\r\n",
            ),
            ("bearer  x", "bearer  #"),
            ("Bearer", "Bearer"),
            ("Bearer \"x\"", "Bearer \"x\""),
            ("forbearer x", "forbearer x"),
        ],
    );
}

#[test]
fn the_first_rule_counts_where_two_match() {
    let card = RuleConfig {
        preset: Some(Preset::CreditCard),
        keep_last: Some(4),
        ..RuleConfig::default()
    };
    let digits = regex("[0-9]{16}", "digits");
    let both = rules(&[card.clone(), digits.clone()], 1_024);
    check(&both, "4111111111111111", "************1111");
    // What is no card may be something else.
    check(&both, "4111111111111112", "digits");
    let turned = rules(&[digits, card], 1_024);
    check(&turned, "4111111111111111", "digits");
    // The match that begins first counts, whichever rule it is of.
    let overlapping = rules(&[literal("cd", "<1>"), literal("bcd", "<2>")], 1_024);
    check(&overlapping, "abcd", "a<2>");
}

#[test]
fn the_context_is_the_text_as_it_came() {
    let words = rules(
        &[
            literal("a", ""),
            regex(r"\bb", "<b>"),
            regex(r"\Ac|d\z", "<e>"),
        ],
        64,
    );
    check(&words, "ab b", "b <b>");
    check(&words, "cacd d", "<e>cd <e>");
}
