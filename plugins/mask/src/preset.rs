//! What many wish to hide: how it looks, and how a look-alike is told from it.
//!
//! Owns the expressions behind the names, and the sums that go beyond what an
//! expression can say. Called by `rule` when it is built, and for each match.

use crate::config::Preset;

/// How a name's matches are found, and what of them is hidden.
#[derive(Debug)]
pub struct Pattern {
    /// The expression.
    pub expression: &'static str,
    /// What a match must be besides.
    pub check: Option<Check>,
    /// How much at the beginning of a match stays.
    pub prefix: Prefix,
}

/// Given the longest text that fits the expression, how much of it, from its
/// beginning, is meant; none if nothing is.
pub type Check = fn(&[u8]) -> Option<usize>;

/// Given a match, or the beginning of one, how much at its beginning stays.
pub type Prefix = fn(&[u8]) -> usize;

impl Preset {
    /// What it stands for. What has a check has a longest match, of less than
    /// the least `max_match`.
    pub fn pattern(self) -> Pattern {
        let (expression, check): (_, Option<Check>) = match self {
            Self::Email => (
                r"[A-Za-z0-9_][A-Za-z0-9._%+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
                None,
            ),
            Self::CreditCard => (r"\b[2-6](?:[ -]?[0-9]){12,18}\b", Some(card)),
            Self::Iban => (r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b", Some(iban)),
            Self::UsSsn => (r"\b[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}\b", Some(ssn)),
            Self::Ipv4 => (
                r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b",
                None,
            ),
            Self::BearerToken => (
                r"\b[Bb][Ee][Aa][Rr][Ee][Rr][ \t]{1,8}[A-Za-z0-9._~+/-]+=*",
                None,
            ),
        };
        let prefix = match self {
            Self::BearerToken => scheme,
            _ => nothing,
        };
        Pattern {
            expression,
            check,
            prefix,
        }
    }
}

/// Nothing of a match stays.
pub fn nothing(_: &[u8]) -> usize {
    0
}

/// The word `Bearer` and the space after it.
fn scheme(text: &[u8]) -> usize {
    let word = "bearer".len();
    let spaces = text.iter().skip(word);
    word + spaces
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

/// The longest beginning, up to the end of a group, that is a card's number:
/// what follows it may be the card's date or code.
fn card(text: &[u8]) -> Option<usize> {
    ends_of_groups(text).find(|end| {
        let digits = text[..*end].iter().filter(|byte| byte.is_ascii_digit());
        (13..=19).contains(&digits.clone().count()) && luhn(digits)
    })
}

/// Luhn's formula, ISO/IEC 7812-1 annex B.
fn luhn<'d>(digits: impl DoubleEndedIterator<Item = &'d u8>) -> bool {
    let values = digits.rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = values
        .enumerate()
        .map(|(place, value)| match (place % 2, value) {
            (0, value) => value,
            (_, value) => value * 2 / 10 + value * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The longest beginning, up to the end of a group, with the right check
/// digits: what follows may be another word in capitals. ISO 13616-1, 7064.
fn iban(text: &[u8]) -> Option<usize> {
    ends_of_groups(text).find(|end| {
        let signs: Vec<u8> = text[..*end]
            .iter()
            .filter(|b| **b != b' ')
            .copied()
            .collect();
        (15..=34).contains(&signs.len()) && remainder(&signs) == 1
    })
}

/// The remainder by 97 of the number that an account's number stands for: its
/// first four signs moved to the end, letters as 10 to 35.
fn remainder(signs: &[u8]) -> u32 {
    let (head, tail) = signs.split_at(signs.len().min(4));
    tail.iter().chain(head).fold(0, |sum, sign| match sign {
        b'0'..=b'9' => (sum * 10 + u32::from(sign - b'0')) % 97,
        letter => (sum * 100 + u32::from(letter.saturating_sub(b'A')) + 10) % 97,
    })
}

/// Areas, groups and serial numbers that were never given out.
fn ssn(text: &[u8]) -> Option<usize> {
    let given = !matches!(&text[..3], b"000" | b"666")
        && text[0] != b'9'
        && &text[4..6] != b"00"
        && &text[7..] != b"0000";
    given.then_some(text.len())
}

/// Where a text and its groups end, from the last to the first.
fn ends_of_groups(text: &[u8]) -> impl Iterator<Item = usize> {
    let inner = |at: &usize| matches!(text.get(*at), None | Some(b' ' | b'-'));
    (1..=text.len()).rev().filter(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_the_standards() {
        for (number, expected) in [
            ("4111111111111111", true),
            ("4111 1111 1111 1111", true),
            ("378282246310005", true),
            ("4111111111111112", false),
            ("411111111111", false),
        ] {
            assert_eq!(
                card(number.as_bytes()) == Some(number.len()),
                expected,
                "{number}"
            );
        }
        for (number, expected) in [
            ("DE89370400440532013000", true),
            ("GB82 WEST 1234 5698 7654 32", true),
            ("NO9386011117947", true),
            ("DE89370400440532013001", false),
        ] {
            assert_eq!(
                iban(number.as_bytes()) == Some(number.len()),
                expected,
                "{number}"
            );
        }
    }

    #[test]
    fn what_follows_a_number_in_groups_is_not_part_of_it() {
        assert_eq!(card(b"4111 1111 1111 1111 123"), Some(19));
        assert_eq!(iban(b"DE89 3704 0044 0532 0130 00 BIC 7"), Some(27));
        assert_eq!(scheme(b"Bearer  abc"), 8);
    }
}
