//! The changes to one message, checked, and their order.
//!
//! Owns remove, set, add — in that order — and which names are refused. The
//! message is whatever implements `Head`: the request's or the response's side
//! of an exchange, or a list in a test.

use http::HeaderName;

use crate::config::ChangesConfig;
use crate::template::{Field, Template};

/// Header fields that the gateway owns, which no filter can change.
const OWNED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The head of a message that can be changed.
pub trait Head {
    /// Why a change was refused.
    type Error;
    /// What a placeholder stands for right now.
    fn lookup(&self, field: &Field) -> Option<Vec<u8>>;
    /// Removes all values of a header.
    fn remove(&mut self, name: &str);
    /// Sets a header to one value.
    fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Self::Error>;
    /// Adds a value to a header.
    fn add(&mut self, name: &str, value: &[u8]) -> Result<(), Self::Error>;
}

/// Changes to one message.
#[derive(Debug)]
pub struct Changes {
    remove: Vec<String>,
    set: Vec<(String, Template)>,
    add: Vec<(String, Template)>,
}

impl Changes {
    /// True if nothing is ever changed.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Checks names and values.
    ///
    /// # Errors
    /// Names the first header that cannot be changed so.
    pub fn new(config: ChangesConfig) -> Result<Self, String> {
        let remove: Vec<_> = config
            .remove
            .iter()
            .map(|name| checked(name))
            .collect::<Result<_, _>>()?;
        let mut set: Vec<(String, Template)> = Vec::new();
        for (name, value) in &config.set {
            let name = checked(name)?;
            if set.iter().any(|(other, _)| *other == name) {
                return Err(format!("`{name}` is set twice"));
            }
            set.push((name, Template::parse(value)?));
        }
        let mut add = Vec::new();
        for (name, values) in config.add {
            let name = checked(&name)?;
            for value in values.into_vec() {
                add.push((name.clone(), Template::parse(&value)?));
            }
        }
        Ok(Self { remove, set, add })
    }

    /// Applies the changes. A value that cannot be rendered takes its header
    /// away when it was to be set, since what the client sent under that name
    /// must not pass for what the gateway would have put there.
    ///
    /// # Errors
    /// If the message refuses a value: an attribute may hold what a header may not.
    pub fn apply<H: Head>(&self, head: &mut H) -> Result<(), H::Error> {
        for name in &self.remove {
            head.remove(name);
        }
        for (name, template) in &self.set {
            match template.render(|field| head.lookup(field)) {
                Some(value) => head.set(name, &value)?,
                None => head.remove(name),
            }
        }
        for (name, template) in &self.add {
            if let Some(value) = template.render(|field| head.lookup(field)) {
                head.add(name, &value)?;
            }
        }
        Ok(())
    }
}

fn checked(name: &str) -> Result<String, String> {
    let name = HeaderName::try_from(name)
        .map_err(|_| format!("`{name}` cannot be the name of a header"))?;
    if OWNED.contains(&name.as_str()) {
        return Err(format!(
            "`{name}` belongs to the gateway and cannot be changed"
        ));
    }
    Ok(name.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;
    use crate::config::OneOrMany;

    /// A message as a list of fields; `{route}` stands for `users` in it.
    struct List(Vec<(String, String)>);

    impl Head for List {
        type Error = Infallible;

        fn lookup(&self, field: &Field) -> Option<Vec<u8>> {
            (*field == Field::Route).then(|| b"users".to_vec())
        }

        fn remove(&mut self, name: &str) {
            self.0.retain(|(other, _)| other != name);
        }

        fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Infallible> {
            self.remove(name);
            self.add(name, value)
        }

        fn add(&mut self, name: &str, value: &[u8]) -> Result<(), Infallible> {
            let value = String::from_utf8_lossy(value).into_owned();
            self.0.push((name.to_owned(), value));
            Ok(())
        }
    }

    fn many(values: &[&str]) -> OneOrMany {
        OneOrMany::Many(values.iter().map(|&value| value.to_owned()).collect())
    }

    fn map<V>(entries: impl IntoIterator<Item = (&'static str, V)>) -> BTreeMap<String, V> {
        entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    #[test]
    fn first_remove_then_set_then_add() {
        let changes = Changes::new(ChangesConfig {
            remove: vec!["X-Gone".to_owned(), "x-back".to_owned()],
            set: map([
                ("X-Back", "set".to_owned()),
                ("x-route", "{route}".to_owned()),
                ("x-user", "{attribute:auth.subject}".to_owned()),
            ]),
            add: map([
                ("x-route", OneOrMany::One("{{more}}".to_owned())),
                ("link", many(&["a", "b", "{service}"])),
            ]),
        });
        let mut head = List(Vec::new());
        for field in [
            "x-gone=1",
            "x-stays=1",
            "x-gone=2",
            "x-back=1",
            "x-user=forged",
        ] {
            let (name, value) = field.split_once('=').expect("a field");
            let Ok(()) = head.add(name, value.as_bytes());
        }
        let Ok(()) = changes.expect("the changes are valid").apply(&mut head);
        let left: Vec<_> = head
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let expected = [
            "x-stays=1",
            "x-back=set",
            "x-route=users",
            "link=a",
            "link=b",
            "x-route={more}",
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn headers_that_cannot_be_changed_are_refused() {
        let remove = |name: &str| ChangesConfig {
            remove: vec![name.to_owned()],
            ..ChangesConfig::default()
        };
        let cases = [
            (remove(""), "`` cannot be the name of a header"),
            (remove(":path"), "`:path` cannot be the name of a header"),
            (
                remove("Connection"),
                "`connection` belongs to the gateway and cannot be changed",
            ),
            (
                remove("content-length"),
                "`content-length` belongs to the gateway and cannot be changed",
            ),
            (
                ChangesConfig {
                    set: map([("a b", String::new())]),
                    ..ChangesConfig::default()
                },
                "`a b` cannot be the name of a header",
            ),
            (
                ChangesConfig {
                    set: map([("X-A", String::new()), ("x-a", String::new())]),
                    ..ChangesConfig::default()
                },
                "`x-a` is set twice",
            ),
            (
                ChangesConfig {
                    add: map([("a", many(&["b", "c\0"]))]),
                    ..ChangesConfig::default()
                },
                "\"c\\0\" cannot be the value of a header",
            ),
        ];
        for (config, expected) in cases {
            assert_eq!(Changes::new(config).expect_err(expected), expected);
        }
    }
}
