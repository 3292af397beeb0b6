//! Cookies of a `cookie` field (RFC 6265, §4.2): reading one, and cutting one
//! out without touching a byte of the rest.

use crate::Exchange;

/// The values of the cookies of that name in one field, in order, without the
/// quotes that may be around them.
///
/// ```
/// use portcullis_sdk::cookie;
///
/// let found: Vec<_> = cookie::values(b"a=1; release=\"v2\"", "release").collect();
/// assert_eq!(found, [b"v2"]);
/// ```
pub fn values<'f>(field: &'f [u8], name: &str) -> impl Iterator<Item = &'f [u8]> {
    pairs(field).filter_map(move |pair| value(pair, name))
}

/// One field without the cookies of that name; none if it has no such cookie.
///
/// ```
/// use portcullis_sdk::cookie;
///
/// let rest = cookie::without(b"a=1; token=x; b=2", "token");
/// assert_eq!(rest.as_deref(), Some(&b"a=1; b=2"[..]));
/// ```
pub fn without(field: &[u8], name: &str) -> Option<Vec<u8>> {
    values(field, name).next()?;
    let rest: Vec<_> = pairs(field)
        .filter(|pair| value(pair, name).is_none())
        .collect();
    Some(rest.join(&b';').trim_ascii().to_vec())
}

/// The pairs of a field, with the spaces around them.
fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';')
}

fn value<'f>(pair: &'f [u8], name: &str) -> Option<&'f [u8]> {
    let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
    let value = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
    let unquoted = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    Some(unquoted.unwrap_or(value))
}

impl Exchange {
    /// The value of the first request cookie of that name, without the quotes
    /// that may be around it.
    pub fn cookie(&self, name: &str) -> Option<Vec<u8>> {
        let fields = self.request_header_values("cookie");
        fields
            .iter()
            .find_map(|field| values(field, name).next())
            .map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let cases: [(&str, &[&str]); 11] = [
            ("release=v2", &["v2"]),
            ("a=b; release=v2; c=d", &["v2"]),
            ("a=b;release=v2;c=d", &["v2"]),
            (" release = v2 ", &["v2"]),
            ("release=\"v2\"", &["v2"]),
            ("release=\"", &["\""]),
            ("release=v1; release=v2", &["v1", "v2"]),
            ("release=", &[""]),
            ("prerelease=v2; release2=v2; Release=v2", &[]),
            ("release; ;; =", &[]),
            ("", &[]),
        ];
        for (field, expected) in cases {
            let found: Vec<_> = values(field.as_bytes(), "release").collect();
            let expected: Vec<_> = expected.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(found, expected, "{field}");
        }
    }

    #[test]
    fn a_cookie_is_cut_out_and_the_rest_stays_as_it_was() {
        let cases = [
            ("token=x", Some("")),
            ("a=1; token=x", Some("a=1")),
            ("token=x;  b = \"2\"", Some("b = \"2\"")),
            ("token=x; a=1; token=y;b=2", Some("a=1;b=2")),
            ("tokens=x; a=1", None),
            ("", None),
        ];
        for (field, expected) in cases {
            let rest = without(field.as_bytes(), "token");
            assert_eq!(rest.as_deref(), expected.map(str::as_bytes), "{field}");
        }
    }
}
