//! Parameters of a query, compared without decoding them into memory.
//!
//! Names and values are percent-encoded, and `+` is a space, as HTML forms
//! send them. A parameter without `=` has the empty value.

/// The encoded values of a parameter, in order.
pub(super) fn values<'q>(query: &'q str, name: &str) -> impl Iterator<Item = &'q str> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (!pair.is_empty() && is(key, name)).then_some(value)
    })
}

/// Whether an encoded text stands for `plain`.
pub(super) fn is(encoded: &str, plain: &str) -> bool {
    Decoded(encoded.as_bytes()).eq(plain.bytes())
}

struct Decoded<'q>(&'q [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, after) = self.0.split_first()?;
        if let (b'%', [high, low, rest @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            self.0 = rest;
            return Some(high << 4 | low);
        }
        self.0 = after;
        Some(if *first == b'+' { b' ' } else { *first })
    }
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_parameters_are_found() {
        let query = "a=1&b=x%20y+z&a=%32&&flag&%61=3&bad=%zz%";
        let found = |name| values(query, name).collect::<Vec<_>>();
        assert_eq!(found("a"), ["1", "%32", "3"]);
        assert_eq!(found("flag"), [""]);
        assert!(found("c").is_empty() && found("").is_empty());
        assert!(is("x%20y+z", "x y z"));
        assert!(is("%zz%", "%zz%"));
        assert!(is("%C3%A4", "ä"));
        assert!(!is("x", "xy") && !is("xy", "x"));
    }
}
