//! Path patterns: `/api/users/{id}`, `/files/{*rest}`.
//!
//! Owns their syntax. A pattern is taken segment by segment, on the path as it
//! was sent: `{name}` takes one segment that is not empty, `{*name}` at the end
//! takes what is left. Everything else is literal.

use std::{error::Error, fmt, str::FromStr};

/// The most segments of a pattern: bounds how deep the router's tree is.
const MOST_SEGMENTS: usize = 64;

/// A checked path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

/// One part of a pattern: what stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This very text; empty after a final slash.
    Literal(String),
    /// `{name}`: one segment, not empty.
    Parameter(String),
    /// `{*name}`: everything to the end of the path. Only the last.
    Rest(String),
}

impl PathPattern {
    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments; at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    message: &'static str,
    hint: &'static str,
}

impl BadPattern {
    /// What would be right.
    pub fn hint(&self) -> &str {
        self.hint
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for BadPattern {}

const fn bad(message: &'static str, hint: &'static str) -> BadPattern {
    BadPattern { message, hint }
}

impl FromStr for PathPattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(bad("a path begins with `/`", "such as `/api/users/{id}`"));
        };
        let parts: Vec<&str> = path.split('/').collect();
        if parts.len() > MOST_SEGMENTS {
            return Err(bad("too many segments", "at most 64"));
        }
        let last = parts.len() - 1;
        let mut segments = Vec::with_capacity(parts.len());
        for (number, part) in parts.into_iter().enumerate() {
            let segment = segment(part, number == last)?;
            if segments.iter().any(|other| same_name(other, &segment)) {
                return Err(bad(
                    "two parameters of one name",
                    "give each a name of its own",
                ));
            }
            segments.push(segment);
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }
}

fn segment(part: &str, last: bool) -> Result<Segment, BadPattern> {
    let inner = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'));
    let Some(inner) = inner else {
        return literal(part, last);
    };
    let Some(rest) = inner.strip_prefix('*') else {
        return Ok(Segment::Parameter(parameter(inner)?));
    };
    if !last {
        return Err(bad(
            "`{*name}` stands only at the end",
            "`{name}` takes one segment",
        ));
    }
    Ok(Segment::Rest(parameter(rest)?))
}

fn parameter(name: &str) -> Result<String, BadPattern> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(bad(
            "a parameter's name takes letters, digits and `_`",
            "such as `{id}` or `{*rest}`",
        ));
    }
    Ok(name.to_owned())
}

fn literal(part: &str, last: bool) -> Result<Segment, BadPattern> {
    if part.is_empty() && !last {
        return Err(bad("an empty segment (`//`)", "write one slash"));
    }
    if part == "." || part == ".." {
        return Err(bad(
            "`.` and `..` name no path of their own",
            "write the path itself",
        ));
    }
    if part.contains('*') {
        return Err(bad(
            "`*` has no meaning here",
            "`{*rest}` at the end takes the rest",
        ));
    }
    if part.contains(['{', '}']) {
        return Err(bad(
            "a parameter takes a whole segment",
            "such as `/users/{id}/orders`",
        ));
    }
    if part.contains(['?', '#']) {
        return Err(bad(
            "only the path is matched here",
            "use `query` to match parameters",
        ));
    }
    let visible = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`|"#.contains(&byte);
    if !part.bytes().all(visible) || !escapes_are_whole(part) {
        return Err(bad(
            "not a valid path",
            "escape other characters, such as `%20` for a space",
        ));
    }
    Ok(Segment::Literal(part.to_owned()))
}

/// Whether every `%` has two hexadecimal digits after it.
fn escapes_are_whole(part: &str) -> bool {
    part.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn same_name(one: &Segment, other: &Segment) -> bool {
    match (one, other) {
        (Segment::Parameter(one), Segment::Parameter(other) | Segment::Rest(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fall_into_segments() {
        let pattern: PathPattern = "/a/{b}/{*c}".parse().unwrap();
        let expected = [
            Segment::Literal("a".into()),
            Segment::Parameter("b".into()),
            Segment::Rest("c".into()),
        ];
        assert_eq!(pattern.segments(), expected);
        assert_eq!(pattern.to_string(), "/a/{b}/{*c}");
        for good in [
            "/",
            "/a/",
            "/a%20b",
            "/a.b/~c;d=1,2:@!$&'()+=",
            "/.well-known/x",
        ] {
            assert!(good.parse::<PathPattern>().is_ok(), "{good}");
        }
    }

    #[test]
    fn bad_patterns_say_why() {
        let cases = [
            ("", "a path begins with `/`"),
            ("a", "a path begins with `/`"),
            ("/a//b", "an empty segment (`//`)"),
            ("/a/../b", "`.` and `..` name no path of their own"),
            ("/a/*", "`*` has no meaning here"),
            ("/{*a}/b", "`{*name}` stands only at the end"),
            ("/{}", "a parameter's name takes letters, digits and `_`"),
            ("/{a-b}", "a parameter's name takes letters, digits and `_`"),
            ("/a{b}", "a parameter takes a whole segment"),
            ("/{a", "a parameter takes a whole segment"),
            ("/{a}/{a}", "two parameters of one name"),
            ("/{a}/{*a}", "two parameters of one name"),
            ("/a?b=c", "only the path is matched here"),
            ("/a b", "not a valid path"),
            ("/ä", "not a valid path"),
            ("/%2", "not a valid path"),
        ];
        for (text, message) in cases {
            let error = text.parse::<PathPattern>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
        assert!("/a".repeat(65).parse::<PathPattern>().is_err());
    }
}
