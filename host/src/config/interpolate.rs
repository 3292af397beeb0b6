//! `${NAME}` in text is replaced from the environment; `$${` stands for `${`.
//!
//! Done on the finished tree, in text values only: what a variable holds stays
//! one text, whatever characters it is made of, and cannot add keys.

use super::{
    Diagnostic, Diagnostics,
    diagnostic::quoted,
    node::{Entry, Node, Value, child, item},
};

/// The environment: the value of a variable, if it is set.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Replaces every reference below `node` and notes every one that cannot be.
pub(super) fn interpolate(
    node: &mut Node,
    path: &str,
    environment: Environment<'_>,
    mistakes: &mut Diagnostics,
) {
    match &mut node.value {
        Value::Text(text) => {
            let (replaced, bad) = replace(text, environment);
            if !bad.is_empty() {
                node.value = Value::Broken;
            } else if let Some(replaced) = replaced {
                *text = replaced.text;
                node.interpolated = replaced.from_environment;
            }
            for (message, hint) in bad {
                mistakes.push(Diagnostic::new(node.at, path, message).hint(hint));
            }
        }
        Value::List(items) => {
            for (number, node) in items.iter_mut().enumerate() {
                interpolate(node, &item(path, number), environment, mistakes);
            }
        }
        Value::Map(entries) => {
            for Entry { key, node, .. } in entries {
                interpolate(node, &child(path, key), environment, mistakes);
            }
        }
        Value::Null | Value::Boolean(_) | Value::Number(_) | Value::Broken => {}
    }
}

struct Replaced {
    text: String,
    from_environment: bool,
}

/// The text with its references replaced, none if there is none; and what is
/// wrong with those that could not be.
fn replace(text: &str, environment: Environment<'_>) -> (Option<Replaced>, Vec<(String, String)>) {
    let mut bad = Vec::new();
    if !text.contains("${") {
        return (None, bad);
    }
    let mut result = String::with_capacity(text.len());
    let mut from_environment = false;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = &reference[2..];
            continue;
        }
        result.push_str(before);
        let Some((name, after)) = reference[2..].split_once('}') else {
            bad.push(unfinished());
            rest = "";
            break;
        };
        match lookup(name, environment) {
            Ok(value) => result.push_str(&value),
            Err(mistake) => bad.push(mistake),
        }
        from_environment = true;
        rest = after;
    }
    result.push_str(rest);
    let replaced = Replaced {
        text: result,
        from_environment,
    };
    (Some(replaced), bad)
}

fn lookup(name: &str, environment: Environment<'_>) -> Result<String, (String, String)> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        let message = format!("{} is not the name of a variable", quoted(name));
        let hint = "`${NAME}` takes letters, digits and `_`, and no default; `$${` stands for `${`";
        return Err((message, hint.to_owned()));
    }
    environment(name).ok_or_else(|| {
        let message = format!("{} is not set in the environment", quoted(name));
        (
            message,
            format!("set it, or write `$${{{name}}}` if this text was meant"),
        )
    })
}

fn unfinished() -> (String, String) {
    let hint = "close it, or write `$${` if this text was meant";
    ("`${` without `}`".to_owned(), hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".to_owned()),
            "B_2" => Some("${A}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_once() {
        let cases = [
            ("${A}", "one", true),
            ("x${A}y${A}", "xoneyone", true),
            ("${B_2}", "${A}", true),
            ("$${A} ${A}", "${A} one", true),
            ("$${A}", "${A}", false),
            ("$$ $A $", "$$ $A $", false),
        ];
        for (text, expected, from_environment) in cases {
            let (replaced, bad) = replace(text, &environment);
            assert!(bad.is_empty(), "{text}");
            let replaced = replaced.unwrap_or(Replaced {
                text: text.to_owned(),
                from_environment: false,
            });
            assert_eq!(replaced.text, expected, "{text}");
            assert_eq!(replaced.from_environment, from_environment, "{text}");
        }
    }

    #[test]
    fn every_bad_reference_is_named() {
        let (_, bad) = replace("${X} ${Y} ${1} ${} ${A:-b} ${", &environment);
        let messages: Vec<&str> = bad.iter().map(|(message, _)| &**message).collect();
        assert_eq!(
            messages,
            [
                "`X` is not set in the environment",
                "`Y` is not set in the environment",
                "`1` is not the name of a variable",
                "`` is not the name of a variable",
                "`A:-b` is not the name of a variable",
                "`${` without `}`",
            ]
        );
    }
}
