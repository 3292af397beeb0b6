//! One rule, checked: what it matches and what becomes of the path.
//!
//! Owns segment-aware prefixes and the joining of paths; refuses rules that
//! contradict themselves or that would break a path or a header. Knows nothing
//! of the exchange: headers are asked for through a function.

use http::{HeaderName, HeaderValue};

use crate::config::RuleConfig;

/// Header fields that the gateway owns, which no rule can set.
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

/// A rule that can be run.
#[derive(Debug)]
pub struct Rule {
    target: Target,
    conditions: Vec<Condition>,
    to: Option<String>,
    /// The service the request goes to, if the rule says so.
    pub service: Option<String>,
    /// Request headers to set: valid names and values.
    pub set_headers: Vec<(String, String)>,
}

#[derive(Debug)]
enum Target {
    Every,
    Exactly(String),
    /// Without the slash at its end, so that `/` is the empty text.
    Under(String),
}

#[derive(Debug)]
struct Condition {
    name: String,
    value: Option<String>,
}

impl Rule {
    /// Checks a rule.
    ///
    /// # Errors
    /// In words for whoever wrote the rule.
    pub fn new(config: RuleConfig) -> Result<Self, String> {
        let target = match (config.prefix, config.path) {
            (Some(_), Some(_)) => return Err("`prefix` and `path` exclude each other".to_owned()),
            (Some(prefix), None) => Target::Under(plain(&prefix)?.trim_end_matches('/').to_owned()),
            (None, Some(path)) => Target::Exactly(plain(&path)?.to_owned()),
            (None, None) => Target::Every,
        };
        let to = config.to.as_deref().map(plain).transpose()?;
        if to.is_some() && matches!(target, Target::Every) {
            return Err("`to` replaces a `prefix` or a `path`, and there is neither".to_owned());
        }
        if to.is_none() && config.service.is_none() && config.set_headers.is_empty() {
            return Err("does nothing: give it `to`, `service` or `set_headers`".to_owned());
        }
        Ok(Self {
            target,
            to: to.map(str::to_owned),
            conditions: config
                .header
                .into_iter()
                .map(condition)
                .collect::<Result<_, _>>()?,
            service: config.service,
            set_headers: config
                .set_headers
                .into_iter()
                .map(header)
                .collect::<Result<_, _>>()?,
        })
    }

    /// What follows the matched part of the path, if the path matches: empty,
    /// or beginning with `/`.
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match &self.target {
            Target::Every => Some(path),
            Target::Exactly(exact) => (path == exact).then_some(""),
            Target::Under(prefix) => path
                .strip_prefix(prefix.as_str())
                .filter(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// True if all conditions on headers hold. `values` gives all values of a
    /// header: a repeated header must not hide one value behind another.
    pub fn headers_match(&self, mut values: impl FnMut(&str) -> Vec<Vec<u8>>) -> bool {
        self.conditions.iter().all(|condition| {
            let values = values(&condition.name);
            match &condition.value {
                None => !values.is_empty(),
                Some(wanted) => values.iter().any(|value| value == wanted.as_bytes()),
            }
        })
    }

    /// The new path, if the rule changes it. Always begins with exactly one
    /// `/`: with two, an upstream might take what follows for a host.
    pub fn new_path(&self, rest: &str) -> Option<String> {
        let to = self.to.as_deref()?;
        if rest.is_empty() {
            return Some(to.to_owned());
        }
        let joined = format!("{}{rest}", to.trim_end_matches('/'));
        Some(format!("/{}", joined.trim_start_matches('/')))
    }
}

/// A path that can be compared with paths as the gateway makes them: absolute
/// and canonical, visible ASCII without query or fragment.
fn plain(path: &str) -> Result<&str, String> {
    let visible = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>`{}|^".contains(&byte));
    let canonical = !path.contains("//")
        && !path
            .split('/')
            .any(|segment| segment == "." || segment == "..");
    if path.starts_with('/') && visible && canonical {
        Ok(path)
    } else {
        Err(format!(
            "`{path}` is no plain path: begin with `/`, encode what is not ASCII, leave out `//`, `.`, `..`, `?` and `#`"
        ))
    }
}

fn condition((name, value): (String, String)) -> Result<Condition, String> {
    Ok(Condition {
        name: header_name(&name)?,
        value: (value != "*").then_some(value),
    })
}

fn header((name, value): (String, String)) -> Result<(String, String), String> {
    let name = header_name(&name)?;
    if OWNED.contains(&name.as_str()) {
        return Err(format!("`{name}` belongs to the gateway and cannot be set"));
    }
    match HeaderValue::try_from(&value) {
        Ok(_) => Ok((name, value)),
        Err(_) => Err(format!("the value of `{name}` cannot be one of a header")),
    }
}

fn header_name(name: &str) -> Result<String, String> {
    HeaderName::try_from(name)
        .map(|name| name.as_str().to_owned())
        .map_err(|_| format!("`{name}` cannot be the name of a header"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn rewritten(prefix: &str, to: &str, path: &str) -> Option<String> {
        let rule = Rule::new(RuleConfig {
            prefix: text(prefix),
            to: text(to),
            ..RuleConfig::default()
        });
        let rule = rule.expect("the rule is valid");
        rule.rest(path).and_then(|rest| rule.new_path(rest))
    }

    #[test]
    fn prefixes_are_whole_segments() {
        let cases = [
            // prefix, to, path, new path
            ("/api/v1", "/", "/api/v1/users", Some("/users")),
            ("/api/v1", "/", "/api/v1", Some("/")),
            ("/api/v1", "/", "/api/v1/", Some("/")),
            ("/api/v1", "/", "/api/v10", None),
            ("/api/v1", "/", "/api", None),
            ("/api/v1", "/", "/API/V1/users", None),
            ("/api/v1/", "/", "/api/v1/users", Some("/users")),
            ("/api", "/v2", "/api/users/7", Some("/v2/users/7")),
            ("/api", "/v2/", "/api/users", Some("/v2/users")),
            ("/api", "/v2/", "/api", Some("/v2/")),
            ("/api", "/v2", "/api/", Some("/v2/")),
            ("/", "/v2", "/users", Some("/v2/users")),
            ("/", "/v2", "/", Some("/v2/")),
            ("/a%20b", "/", "/a%20b/c%2Fd", Some("/c%2Fd")),
            ("/api", "/", "/api//evil.example/x", Some("/evil.example/x")),
        ];
        for (prefix, to, path, expected) in cases {
            let new = rewritten(prefix, to, path);
            assert_eq!(new.as_deref(), expected, "{path}: {prefix} to {to}");
        }
    }

    #[test]
    fn an_exact_path_is_nothing_else() {
        let rule = Rule::new(RuleConfig {
            path: text("/old"),
            to: text("/new/place"),
            ..RuleConfig::default()
        });
        let rule = rule.expect("the rule is valid");
        assert_eq!(
            rule.rest("/old").and_then(|rest| rule.new_path(rest)),
            text("/new/place")
        );
        assert_eq!(rule.rest("/old/"), None);
        assert_eq!(rule.rest("/older"), None);
    }

    #[test]
    fn conditions_look_at_every_value_of_a_header() {
        let rule = Rule::new(RuleConfig {
            header: BTreeMap::from([
                ("Accept-Version".to_owned(), "2".to_owned()),
                ("x-beta".to_owned(), "*".to_owned()),
            ]),
            service: text("v2"),
            ..RuleConfig::default()
        });
        let rule = rule.expect("the rule is valid");
        let cases: [(&[&str], &[&str], bool); 5] = [
            (&["2"], &["yes"], true),
            (&["1", "2"], &[""], true),
            (&["2"], &[], false),
            (&["20"], &["yes"], false),
            (&[], &["yes"], false),
        ];
        for (versions, betas, expected) in cases {
            let matches = rule.headers_match(|name| {
                let values = if name == "accept-version" {
                    versions
                } else {
                    betas
                };
                values
                    .iter()
                    .map(|value| value.as_bytes().to_vec())
                    .collect()
            });
            assert_eq!(matches, expected, "{versions:?} {betas:?}");
        }
    }

    #[test]
    fn rules_that_cannot_work_are_refused() {
        let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let base = || RuleConfig {
            service: text("s"),
            ..RuleConfig::default()
        };
        let cases = [
            (
                RuleConfig {
                    prefix: text("/a"),
                    path: text("/b"),
                    ..base()
                },
                "exclude each other",
            ),
            (
                RuleConfig {
                    to: text("/a"),
                    ..base()
                },
                "there is neither",
            ),
            (
                RuleConfig {
                    prefix: text("/a"),
                    ..RuleConfig::default()
                },
                "does nothing",
            ),
            (
                RuleConfig {
                    prefix: text("a"),
                    ..base()
                },
                "`a` is no plain path",
            ),
            (
                RuleConfig {
                    prefix: text("/a?b"),
                    ..base()
                },
                "is no plain path",
            ),
            (
                RuleConfig {
                    prefix: text("/a/../b"),
                    ..base()
                },
                "is no plain path",
            ),
            (
                RuleConfig {
                    path: text("/a"),
                    to: text("//b"),
                    ..base()
                },
                "is no plain path",
            ),
            (
                RuleConfig {
                    path: text("/a"),
                    to: text("/ü"),
                    ..base()
                },
                "is no plain path",
            ),
            (
                RuleConfig {
                    header: map("a b", "c"),
                    ..base()
                },
                "`a b` cannot be the name of a header",
            ),
            (
                RuleConfig {
                    set_headers: map("", "c"),
                    ..base()
                },
                "`` cannot be the name of a header",
            ),
            (
                RuleConfig {
                    set_headers: map("a", "b\nc"),
                    ..base()
                },
                "the value of `a` cannot be one",
            ),
            (
                RuleConfig {
                    set_headers: map("Upgrade", "c"),
                    ..base()
                },
                "`upgrade` belongs to the gateway",
            ),
        ];
        for (config, expected) in cases {
            let error = Rule::new(config).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
