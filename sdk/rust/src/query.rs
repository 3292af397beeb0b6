//! One parameter of a query: finding it, and cutting it out without touching a
//! byte of the rest.

use std::borrow::Cow;

/// What a query says of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its values, percent-decoded, in order.
    pub values: Vec<Cow<'a, [u8]>>,
    /// The query without it.
    pub rest: String,
}

/// Looks for a parameter. Names are compared percent-decoded, as the service
/// will read them: `%61pi_key` is `api_key`.
pub fn find<'a>(query: &'a str, name: &str) -> Parameter<'a> {
    let mut values = Vec::new();
    let mut rest = String::with_capacity(query.len());
    for (index, pair) in query.split('&').enumerate() {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if *decode(key) == *name.as_bytes() {
            values.push(decode(value));
            continue;
        }
        if index > values.len() {
            rest.push('&');
        }
        rest.push_str(pair);
    }
    Parameter { values, rest }
}

/// Percent-decodes; what is no valid escape stays as it is.
fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return bytes.into();
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        match escape(rest) {
            Some(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded.into()
}

/// The byte that an escape at the start stands for.
fn escape(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_and_the_rest_stays_byte_for_byte() {
        let cases: &[(&str, &[&str], &str)] = &[
            ("api_key=s3cret", &["s3cret"], ""),
            ("a=1&api_key=s3cret&b=%20+&c", &["s3cret"], "a=1&b=%20+&c"),
            ("api_key=x&a=1", &["x"], "a=1"),
            ("a=1&api_key=x", &["x"], "a=1"),
            ("%61pi%5Fkey=%41%2B", &["A+"], ""),
            ("api_key=1&a&api_key=2", &["1", "2"], "a"),
            ("api_key", &[""], ""),
            ("api_key=a=b", &["a=b"], ""),
            ("api_key=100%", &["100%"], ""),
            ("api_key=%zz%4", &["%zz%4"], ""),
            ("", &[], ""),
            ("a=1&&b=2&", &[], "a=1&&b=2&"),
            ("&&api_key=x&&", &["x"], "&&&"),
            (
                "xapi_key=1&api_keys=2&API_KEY=3",
                &[],
                "xapi_key=1&api_keys=2&API_KEY=3",
            ),
        ];
        for (query, values, rest) in cases {
            let found = find(query, "api_key");
            let texts: Vec<_> = found
                .values
                .iter()
                .map(|v| String::from_utf8_lossy(v))
                .collect();
            assert_eq!(
                (texts, &*found.rest),
                (values.iter().map(|v| Cow::from(*v)).collect(), *rest),
                "{query}"
            );
        }
    }
}
