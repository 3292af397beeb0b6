//! Hints for names that are not known.
//!
//! Owns what counts as a likely slip of the fingers.

use super::diagnostic::{quoted, shown};

/// The most names that are compared or listed: a hint must stay cheap and short.
const MOST_COMPARED: usize = 1_000;
const MOST_LISTED: usize = 20;

/// The longest name that is compared.
const LONGEST: usize = 128;

/// What to write instead of `wrong`: the nearest known name, else all of them.
pub(super) fn hint<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean {}?", quoted(name)),
        None => list(known),
    }
}

/// The known name that is a slip or two away from `wrong`.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.len() > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let allowed = (wrong.chars().count() / 3).max(1);
    known
        .take(MOST_COMPARED)
        .map(|name| (strsim::osa_distance(&wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn list<'a>(known: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = known.take(MOST_LISTED + 1).map(shown).collect();
    if names.is_empty() {
        return "there are none".to_owned();
    }
    if names.len() > MOST_LISTED {
        names[MOST_LISTED] = "…".to_owned();
    }
    format!("known: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_or_all() {
        let cases = [
            ("timout", "did you mean `timeout`?"),
            ("Timeout", "did you mean `timeout`?"),
            ("rotues", "did you mean `routes`?"),
            ("frequency", "known: timeout, routes"),
        ];
        for (wrong, expected) in cases {
            assert_eq!(hint(wrong, ["timeout", "routes"].into_iter()), expected);
        }
        assert_eq!(hint("x", std::iter::empty()), "there are none");
    }
}
