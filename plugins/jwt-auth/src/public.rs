//! Paths that need no token.
//!
//! A path is public only if everybody who may read it after this reads the same
//! path. One that holds an escape, a dot segment, an empty segment, a parameter
//! or a backslash may be another path to the service, so it is never public.

/// Patterns of public paths.
#[derive(Debug, Default)]
pub struct PublicPaths {
    exact: Vec<String>,
    prefixes: Vec<String>,
}

impl PublicPaths {
    /// Takes patterns: a path, or the beginning of paths with `*` at its end.
    ///
    /// # Errors
    /// If a pattern does not begin with `/`, holds a `*` elsewhere, or can never
    /// match because such paths are not public.
    pub fn new(patterns: Vec<String>) -> Result<Self, String> {
        let mut paths = Self::default();
        for pattern in patterns {
            let (path, list) = match pattern.strip_suffix('*') {
                Some(prefix) => (prefix, &mut paths.prefixes),
                None => (&*pattern, &mut paths.exact),
            };
            if path.contains(['*', '?', '#']) || !is_plain(path) {
                return Err(format!(
                    "`public_paths`: `{pattern}` must begin with `/`, may have one `*` at its end, and holds no escapes, `//`, `.` or `..` segments, `;` or `\\`"
                ));
            }
            list.push(path.to_owned());
        }
        Ok(paths)
    }

    /// True if there are none: the path need not even be asked for.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }

    /// True if this path needs no token.
    pub fn contains(&self, path: &str) -> bool {
        let named = self.exact.iter().any(|exact| exact == path)
            || self
                .prefixes
                .iter()
                .any(|prefix| path.starts_with(prefix.as_str()));
        named && is_plain(path)
    }
}

/// True if a path can be read in one way only.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b';' | b'\\');
    path.starts_with('/')
        && path.bytes().all(plain)
        && !path.contains("//")
        && !path
            .split('/')
            .any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> PublicPaths {
        PublicPaths::new(vec!["/health".into(), "/public/*".into(), "/img*".into()]).unwrap()
    }

    #[test]
    fn paths_match_exactly_or_by_their_beginning() {
        for (path, expected) in [
            ("/health", true),
            ("/health/", false),
            ("/healthy", false),
            ("/Health", false),
            ("/public/", true),
            ("/public/a/b.css", true),
            ("/public/.well-known", true),
            ("/public", false),
            ("/publicity", false),
            ("/img.png", true),
            ("/", false),
            ("", false),
        ] {
            assert_eq!(paths().contains(path), expected, "{path}");
        }
        assert!(PublicPaths::default().is_empty() && !paths().is_empty());
    }

    #[test]
    fn a_path_that_may_be_read_in_another_way_is_never_public() {
        for path in [
            "/public/../admin",
            "/public/..",
            "/public/./a",
            "/public/%2e%2e/admin",
            "/public/%2E%2E/admin",
            "/public/..%2fadmin",
            "/public/%61",
            "/public//a",
            "/public/..;/admin",
            "/public/..;p=1/admin",
            "/public/a;x",
            "/public/\\..\\admin",
            "/public/..\\admin",
            "/public/\u{ff0e}\u{ff0e}/admin",
            "/public/a b",
            "/public/\0",
            "/img/../admin",
        ] {
            assert!(!paths().contains(path), "{path}");
        }
    }

    #[test]
    fn patterns_that_make_no_sense_are_refused() {
        for pattern in [
            "", "*", "health", "/a*b", "/a**", "/a/../b", "//", "/a%20b", "/a;b", "/a?b", "/a#b",
        ] {
            assert!(PublicPaths::new(vec![pattern.into()]).is_err(), "{pattern}");
        }
        assert!(PublicPaths::new(vec!["/*".into(), "/".into()]).is_ok());
    }
}
