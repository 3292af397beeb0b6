//! Mistakes are found when the plugin is configured, and named.

use mask::config::{Preset, RuleConfig};
use mask::rules::Rules;

use crate::{literal, regex};

#[test]
fn mistakes_are_named() {
    let preset = RuleConfig {
        preset: Some(Preset::Email),
        ..RuleConfig::default()
    };
    let two = RuleConfig {
        literal: Some("a".to_owned()),
        ..preset
    };
    let nested = "(".repeat(300) + "a" + &")".repeat(300);
    let cases = [
        (RuleConfig::default(), "needs one of"),
        (two, "needs one of"),
        (regex("a(", ""), "unclosed group"),
        (regex("a*", ""), "would match where there is nothing"),
        (regex(r"\b", ""), "would match where there is nothing"),
        (regex("[a&&b]", ""), "can match nothing"),
        (regex("a{2000}", ""), "more than `max_match`"),
        (literal(&"a".repeat(1_025), ""), "more than `max_match`"),
        (regex("(?:a|b)*a(?:a|b){30}", ""), "too complex"),
        (regex("(?:[a-z]{900}){900}", ""), "more than `max_match`"),
        (
            regex("(?:a?){900}b{0,900}(?:c{0,900}){900}d", ""),
            "too complex",
        ),
        (regex(&nested, ""), "nest"),
    ];
    for (config, expected) in cases {
        let error = Rules::new(&[literal("good", ""), config], 1_024).expect_err(expected);
        assert!(error.starts_with("rules[1]: "), "{error}");
        assert!(error.contains(expected), "{error} does not say {expected}");
    }
}

#[test]
fn all_presets_go_together() {
    let presets = [
        Preset::Email,
        Preset::CreditCard,
        Preset::Iban,
        Preset::UsSsn,
        Preset::Ipv4,
        Preset::BearerToken,
    ];
    let configs = presets.map(|preset| RuleConfig {
        preset: Some(preset),
        ..RuleConfig::default()
    });
    Rules::new(&configs, 64).expect("valid, with the least `max_match`, too");
}
