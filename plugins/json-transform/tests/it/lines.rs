//! A text on each line, in chunks of any size.

use std::rc::Rc;

use json_transform::config::OnInvalid;
use json_transform::lines::{LineError, Lines};
use json_transform::transform::Transform;
use proptest::prelude::*;
use proptest::sample::select;

use crate::transform;

const MAX_LINE: usize = 40;

fn removal() -> Rc<Transform> {
    Rc::new(transform(r#"{"remove": ["a"], "add": {"b": 0}}"#))
}

/// What comes out of a body in these chunks, and how it ended.
fn run<'c>(
    on_invalid: OnInvalid,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (String, Result<(), LineError>) {
    let mut lines = Lines::new(removal(), on_invalid, MAX_LINE);
    let mut out = Vec::new();
    let mut result = Ok(());
    for chunk in chunks {
        result = result.and_then(|()| lines.push(chunk, &mut out));
        assert!(lines.held() <= MAX_LINE);
    }
    let result = result.and_then(|()| lines.finish(&mut out));
    (String::from_utf8(out).expect("text"), result)
}

fn passes(text: &str, expected: &str) {
    assert_eq!(
        run(OnInvalid::Fail, [text.as_bytes()]),
        (expected.to_owned(), Ok(())),
        "{text:?}"
    );
}

#[test]
fn each_line_is_changed_by_itself() {
    passes("{\"a\":1}\n{\"b\":2}\n", "{\"b\":0}\n{\"b\":2}\n");
    passes("{\"a\":1}\r\n\r\n \n[7]", "{\"b\":0}\r\n\r\n \n[7]");
    passes("{}", "{\"b\":0}");
    passes("", "");
    passes("\n\n", "\n\n");
}

#[test]
fn a_line_that_is_not_json_fails_or_passes() {
    let text = "{\"a\":1}\nnonsense\n{\"a\":2}\n";
    let (out, result) = run(OnInvalid::Fail, [text.as_bytes()]);
    assert_eq!(out, "{\"b\":0}\n");
    let error = result.expect_err("refused").to_string();
    assert!(error.starts_with("line 2 is not JSON: "), "{error}");
    let (out, result) = run(OnInvalid::Pass, [text.as_bytes()]);
    assert_eq!(
        (out.as_str(), result),
        ("{\"b\":0}\nnonsense\n{\"b\":0}\n", Ok(()))
    );
}

#[test]
fn a_line_has_a_longest_length() {
    let longest = format!("[\"{}\"]", "x".repeat(MAX_LINE - 4));
    passes(
        &format!("{longest}\n{longest}"),
        &format!("{longest}\n{longest}"),
    );
    let longer = format!("[\"{}\"]", "x".repeat(MAX_LINE - 3));
    for text in [format!("1\n{longer}\n"), format!("1\n{longer}")] {
        for on_invalid in [OnInvalid::Fail, OnInvalid::Pass] {
            let (out, result) = run(on_invalid, [text.as_bytes()]);
            assert_eq!(
                (out.as_str(), result),
                ("1\n", Err(LineError::TooLong { line: 2 }))
            );
        }
    }
}

const PIECES: [&str; 14] = [
    "{\"a\":1}",
    "{\"a\":",
    "1}",
    "\n",
    "\n",
    "\r\n",
    " ",
    "[]",
    "\"x\"",
    "{\"b\":\"é\"}",
    "nonsense",
    "{\"a\":[1,2,3],\"c\":",
    "0000000000000000",
    "}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(
        pieces in prop::collection::vec(select(&PIECES[..]), 0..30),
        lengths in prop::collection::vec(1..12_usize, 1..12),
        on_invalid in select(&[OnInvalid::Fail, OnInvalid::Pass][..]),
    ) {
        let text = pieces.concat();
        let mut chunks = Vec::new();
        let mut rest = text.as_bytes();
        for length in lengths.iter().cycle() {
            let (chunk, after) = rest.split_at((*length).min(rest.len()));
            chunks.push(chunk);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let expected = plain(&text, on_invalid);
        prop_assert_eq!(&run(on_invalid, [text.as_bytes()]).0, &expected);
        prop_assert_eq!(run(on_invalid, chunks), run(on_invalid, [text.as_bytes()]));
    }
}

/// The same in the plainest way there is.
fn plain(text: &str, on_invalid: OnInvalid) -> String {
    let transform = removal();
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let end = &line[content.trim_end_matches('\r').len()..];
        if content.len() > MAX_LINE {
            break;
        }
        match transform.document(content.as_bytes()) {
            _ if content.trim().is_empty() => out.push_str(line),
            Ok(changed) => out = out + std::str::from_utf8(&changed).expect("text") + end,
            Err(_) if on_invalid == OnInvalid::Pass => out.push_str(line),
            Err(_) => break,
        }
    }
    out
}
