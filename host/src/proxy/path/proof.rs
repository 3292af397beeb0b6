//! What holds of the path of any target.

use http::Uri;

use super::{Canonical, canonical};

/// Any target: it is refused, or has one form, which leads to no other place than
/// it says.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(target: &str) {
    let Ok(uri) = target.parse::<Uri>() else {
        return;
    };
    // Others do not come as far as this: the framing refuses them, or the head's check.
    let foreign = |byte: u8| !byte.is_ascii_graphic() || byte == b'\\';
    let is_other = uri.authority().is_some() || !uri.path().starts_with('/');
    if is_other || uri.path().bytes().any(foreign) {
        return;
    }
    let query = uri.query().map(str::to_owned);
    let Ok(once) = canonical(uri) else {
        return;
    };
    is_plain(once.uri.path());
    assert_eq!(
        once.uri.query(),
        query.as_deref(),
        "the query is left as it is"
    );
    let matched = once.matched.as_deref();
    assert_eq!(matched.is_some(), once.uri.path().contains(';'), "{once:?}");
    let again = form(&once.uri);
    assert_eq!(again.uri, once.uri, "the form has another form");
    assert_eq!(again.matched, once.matched, "the form matches otherwise");
    if let Some(matched) = matched {
        is_plain(matched);
        assert!(!matched.contains(';'), "{matched}");
        let matched: Uri = matched.parse().expect("what is matched is a path");
        let again = form(&matched);
        assert_eq!(again.uri, matched, "what is matched has another form");
    }
}

/// An input of the fuzz target, if it is text.
pub(crate) fn fuzzed(input: &[u8]) {
    if let Ok(target) = std::str::from_utf8(input) {
        holds(target);
    }
}

fn form(uri: &Uri) -> Canonical {
    canonical(uri.clone()).expect("a form has a form")
}

/// Nobody reads such a path in another way.
fn is_plain(path: &str) {
    assert!(path.starts_with('/'), "{path}");
    assert!(!path.contains("//") && !path.contains('\\'), "{path}");
    for segment in path.split('/') {
        let name = segment.split(';').next().unwrap_or_default();
        assert!(name != "." && name != "..", "{path}");
    }
    for (at, _) in path.match_indices('%') {
        let digits = path.get(at + 1..at + 3).expect("an escape is whole");
        let byte = u8::from_str_radix(digits, 16).expect("an escape is a number");
        assert_eq!(digits, digits.to_ascii_uppercase(), "{path}");
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let divides = matches!(byte, b'/' | b'\\' | 0..=0x1f | 0x7f);
        assert!(!plain && !divides, "{path}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{fuzzed, holds};

    const PIECES: [&str; 26] = [
        "/", "//", ".", "..", "/../", "/./", "%2e", "%2E", "%2f", "%5C", "%25", "%", "%0", "%zz",
        "%00", "%61", "%c3%a9", "%3b", ";", ";p=1", "a", "admin", "~", "?", "?a=/../", ":",
    ];

    #[test]
    fn what_fuzzing_has_left_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/path");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            fuzzed(&std::fs::read(path).expect("a file"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_path_has_one_form_and_stays_below_the_root(pieces in vec(select(&PIECES[..]), 0..12)) {
            holds(&format!("/{}", pieces.concat()));
        }

        #[test]
        fn any_text_has_a_form_or_none(text in "\\PC*") {
            holds(&text);
            holds(&format!("/{text}"));
        }
    }
}
