//! Whether a request and its response were stamped by the same hand. Used by
//! `client`.
//!
//! A filter that is replaced while traffic flows stamps what it sees with its
//! version: the request before the origin gets it, and the response. The origin
//! echoes the request's head as the response's body, so that one message has both.

/// True unless a response and the head that is its body have a field once each,
/// with one value.
pub(crate) fn is_mixed(name: &str, response: &[u8]) -> bool {
    let lines = response.split(|byte| *byte == b'\n');
    let mut stamps = lines.filter_map(|line| value(name, line));
    match (stamps.next(), stamps.next(), stamps.next()) {
        (Some(first), Some(second), None) => first != second,
        _ => true,
    }
}

fn value<'a>(name: &str, line: &'a [u8]) -> Option<&'a [u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (field, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    field.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stamp_on_both_sides_and_no_other() {
        for (response, expected) in [
            ("200\r\nX-Stamp: a\r\n\r\nGET\r\nx-stamp:a\r\n\r\n", false),
            ("200\r\nx-stamp: a\r\n\r\nGET\r\nx-stamp: b\r\n\r\n", true),
            ("200\r\nx-stamp: a\r\n\r\nGET\r\n\r\n", true),
            ("200\r\n\r\nGET\r\nx-stamp: a\r\n\r\n", true),
            (
                "200\r\nx-stamp: a\r\nx-stamp: a\r\n\r\nGET\r\nx-stamp: a",
                true,
            ),
            ("", true),
        ] {
            assert_eq!(
                is_mixed("x-stamp", response.as_bytes()),
                expected,
                "{response}"
            );
        }
    }
}
