//! What holds of any text as a configuration.

use std::path::Path;

use super::parse;

/// The formats, by the ends of files' names.
pub(crate) const FORMATS: [&str; 3] = ["yaml", "toml", "json"];

/// Any text: it is a configuration, or there are mistakes, each with a place in
/// the text and words for it.
///
/// # Panics
///
/// If that does not hold.
pub(crate) fn holds(text: &str, format: &str) {
    let path = format!("portcullis.{format}");
    let environment = |name: &str| (name == "SET").then(|| "a: [".to_owned());
    let Err(mistakes) = parse(Path::new(&path), text, &environment) else {
        return;
    };
    assert!(!mistakes.is_empty(), "refused without a reason");
    // YAML takes a carriage return, and Unicode's own, for the end of a line.
    let lines = text
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count()
        + 1;
    for mistake in mistakes.iter() {
        assert!((1..=lines).contains(&mistake.at.line), "{mistakes}");
        assert!(mistake.at.column >= 1, "{mistakes}");
        assert!(
            !mistake.message.is_empty() && !mistake.message.contains('\n'),
            "{mistakes}"
        );
    }
    let shown = mistakes.to_string();
    assert!(shown.contains(&path), "{shown}");
}

/// An input of the fuzz target, if it is text: a character that says the format (`y`, `t`
/// or `j`), and a configuration.
pub(crate) fn fuzzed(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let format = match input {
        [b't', ..] => FORMATS[1],
        [b'j', ..] => FORMATS[2],
        _ => FORMATS[0],
    };
    holds(text.get(1..).unwrap_or_default(), format);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::{FORMATS, fuzzed, holds};

    const PIECES: [&str; 40] = [
        "listeners",
        "routes",
        "services",
        "plugins",
        "pipeline",
        "match",
        "path",
        "address",
        "127.0.0.1:80",
        "instances",
        "limits",
        ": ",
        ":",
        "=",
        "\n",
        "\n  ",
        "\n- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "|",
        ">",
        "&a ",
        "*a",
        "!t ",
        "#",
        "---\n",
        "${SET}",
        "${",
        "1s",
        "-1",
        "1e999",
        "null",
        "\u{e4}",
        "[[routes]]\n",
        "\t",
    ];

    #[test]
    fn what_fuzzing_has_left_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/configuration");
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            fuzzed(&std::fs::read(path).expect("a file"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn any_pieces_are_read_or_refused_with_a_place(
            pieces in vec(select(&PIECES[..]), 0..40),
            format in select(&FORMATS[..]),
        ) {
            holds(&pieces.concat(), format);
        }

        #[test]
        fn any_text_is_read_or_refused_with_a_place(text: String, format in select(&FORMATS[..])) {
            holds(&text, format);
        }
    }
}
