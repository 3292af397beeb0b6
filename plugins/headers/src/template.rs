//! Header values with placeholders.
//!
//! Owns the syntax: `{name}` and `{name:argument}` stand for something of the
//! exchange, `{{` and `}}` for braces. Braces rather than `${…}`, which the
//! gateway replaces from its environment before a plugin sees it. Refuses
//! unknown placeholders when the configuration is read, and text that could
//! not be in a header. Called by `changes`.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

/// Something of the exchange that a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `{request_id}`
    RequestId,
    /// `{client_ip}`
    ClientIp,
    /// `{method}`
    Method,
    /// `{scheme}`
    Scheme,
    /// `{host}`
    Host,
    /// `{path}`, as it goes upstream, without query
    Path,
    /// `{route}`
    Route,
    /// `{service}`
    Service,
    /// `{instance}`
    Instance,
    /// `{attribute:NAME}`
    Attribute(String),
    /// `{header:NAME}`: the first value of a request header
    Header(String),
}

/// A value, ready to be rendered.
#[derive(Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

impl Template {
    /// Reads a value.
    ///
    /// # Errors
    /// Names the placeholder that is unknown or not closed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if HeaderValue::try_from(text).is_err() {
            return Err(format!("{text:?} cannot be the value of a header"));
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
            } else {
                let (name, after) = placeholder(brace, after, text)?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Field(Field::parse(name)?));
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    /// The value, with `lookup` giving what fields stand for; none if one of
    /// them stands for nothing. Text without placeholders is not copied.
    pub fn render(
        &self,
        mut lookup: impl FnMut(&Field) -> Option<Vec<u8>>,
    ) -> Option<Cow<'_, [u8]>> {
        if let [Piece::Text(text)] = self.0.as_slice() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        let mut value = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text.as_bytes()),
                Piece::Field(field) => value.append(&mut lookup(field)?),
            }
        }
        Some(Cow::Owned(value))
    }
}

fn placeholder<'t>(brace: &str, after: &'t str, text: &str) -> Result<(&'t str, &'t str), String> {
    let end = (brace == "{").then(|| after.find('}')).flatten();
    let end = end.ok_or_else(|| {
        format!("`{text}` has a brace without its partner: write `{brace}{brace}` for a plain one")
    })?;
    Ok((&after[..end], &after[end + 1..]))
}

impl Field {
    fn parse(name: &str) -> Result<Self, String> {
        let (word, argument) = match name.split_once(':') {
            Some((word, argument)) => (word, Some(argument)),
            None => (name, None),
        };
        match (word, argument) {
            ("request_id", None) => Ok(Self::RequestId),
            ("client_ip", None) => Ok(Self::ClientIp),
            ("method", None) => Ok(Self::Method),
            ("scheme", None) => Ok(Self::Scheme),
            ("host", None) => Ok(Self::Host),
            ("path", None) => Ok(Self::Path),
            ("route", None) => Ok(Self::Route),
            ("service", None) => Ok(Self::Service),
            ("instance", None) => Ok(Self::Instance),
            ("attribute", Some(name)) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
            ("header", Some(name)) => HeaderName::try_from(name)
                .map(|name| Self::Header(name.as_str().to_owned()))
                .map_err(|_| format!("`{name}` cannot be the name of a header")),
            _ => Err(format!(
                "`{{{name}}}` is unknown: there are request_id, client_ip, method, scheme, host, path, route, \
                 service, instance, attribute:NAME and header:NAME"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Option<String> {
        let template = Template::parse(text).expect("the template is valid");
        let value = template.render(|field| match field {
            Field::RequestId => Some(b"r-1".to_vec()),
            Field::Route => Some(b"users".to_vec()),
            Field::Attribute(name) if name == "auth.subject" => Some(b"ann".to_vec()),
            _ => None,
        });
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn placeholders_are_replaced() {
        let cases = [
            ("", Some("")),
            ("plain", Some("plain")),
            ("{request_id}", Some("r-1")),
            ("a{request_id}b{route}", Some("ar-1busers")),
            ("{attribute:auth.subject}!", Some("ann!")),
            ("{{request_id}}", Some("{request_id}")),
            ("{{{route}}}", Some("{users}")),
            (
                "{\"json\": 1}".trim_matches(['{', '}']),
                Some("\"json\": 1"),
            ),
            ("x{attribute:other}", None),
            ("{service}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(rendered(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("{nobody}", "`{nobody}` is unknown"),
            ("{}", "`{}` is unknown"),
            ("{attribute:}", "`{attribute:}` is unknown"),
            ("{route:x}", "`{route:x}` is unknown"),
            ("{header:a b}", "`a b` cannot be the name of a header"),
            ("{route", "write `{{` for a plain one"),
            ("route}", "write `}}` for a plain one"),
            ("a\r\nb", "cannot be the value of a header"),
        ];
        for (text, expected) in cases {
            let error = Template::parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
