//! Paths into a JSON document: `user.name`, `items[].id`, `*.secret`.
//!
//! Owns the syntax. Members are divided by `.`; `*` is each member of an
//! object, `[]` each element of a list. A backslash before `.`, `[`, `]`, `*`
//! or a backslash makes it part of a name. Called when the plugin is
//! configured.

/// Steps that a path has at most, and so how deep a document is looked into.
pub const MOST_STEPS: usize = 32;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The member of this name.
    Member(String),
    /// Each member.
    EachMember,
    /// Each element.
    EachElement,
}

/// Reads a path.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mistake = |what: &str| Err(format!("`{path}` {what}"));
    let mut steps = Vec::new();
    let mut rest = path.chars().peekable();
    loop {
        if rest.peek() == Some(&'[') && steps.is_empty() {
            // A document that is a list itself begins with its elements.
        } else {
            match member(&mut rest) {
                Some(step) => steps.push(step),
                None => return mistake("is not a path: a backslash stands alone"),
            }
            if steps.last() == Some(&Step::Member(String::new())) {
                return mistake("is not a path: a name is empty");
            }
        }
        while rest.next_if_eq(&'[').is_some() {
            if rest.next_if_eq(&']').is_none() {
                return mistake("is not a path: `[` has to be followed by `]`, for each element");
            }
            steps.push(Step::EachElement);
        }
        match rest.next() {
            None => break,
            Some('.') => {}
            Some(_) => return mistake("is not a path: after `[]` comes `.`, `[]` or nothing"),
        }
    }
    if steps.len() > MOST_STEPS {
        return mistake(&format!("has more than {MOST_STEPS} steps"));
    }
    Ok(steps)
}

/// A name up to `.` or `[`; none if it ends with a lone backslash.
fn member(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Step> {
    let mut name = String::new();
    let mut plain = true;
    while let Some(next) = rest.next_if(|next| !matches!(next, '.' | '[')) {
        if next == '\\' {
            name.push(rest.next()?);
            plain = false;
        } else {
            name.push(next);
        }
    }
    if plain && name == "*" {
        return Some(Step::EachMember);
    }
    Some(Step::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn paths_are_read() {
        let cases = [
            ("a", vec![name("a")]),
            ("user.name", vec![name("user"), name("name")]),
            (
                "items[].id",
                vec![name("items"), Step::EachElement, name("id")],
            ),
            (
                "a[][]",
                vec![name("a"), Step::EachElement, Step::EachElement],
            ),
            ("[].id", vec![Step::EachElement, name("id")]),
            ("[]", vec![Step::EachElement]),
            ("*.b", vec![Step::EachMember, name("b")]),
            (
                "*[].c",
                vec![Step::EachMember, Step::EachElement, name("c")],
            ),
            (r"a\.b.c", vec![name("a.b"), name("c")]),
            (r"\*", vec![name("*")]),
            (r"a\[\]\\", vec![name(r"a[]\")]),
            ("a*", vec![name("a*")]),
            ("naïve key", vec![name("naïve key")]),
        ];
        for (path, expected) in cases {
            assert_eq!(parse(path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let long = "a.".repeat(MOST_STEPS) + "a";
        for (path, expected) in [
            ("", "a name is empty"),
            (".a", "a name is empty"),
            ("a.", "a name is empty"),
            ("a..b", "a name is empty"),
            ("a.[]", "a name is empty"),
            ("a[0]", "followed by `]`"),
            ("a[", "followed by `]`"),
            ("a[]b", "after `[]`"),
            (r"a\", "a backslash stands alone"),
            (&long, "more than 32 steps"),
        ] {
            let error = parse(path).expect_err(path);
            assert!(error.contains(expected), "{error}");
        }
    }
}
