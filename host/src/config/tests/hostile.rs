//! Files that are no configuration: never a panic, always a mistake.

use std::{fs, path::Path, thread};

use crate::config::{load, parse};

use super::{EXAMPLE, environment};

#[test]
fn files_that_cannot_be_read_say_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let large = " ".repeat((4 << 20) + 1);
    let cases = [
        (
            directory.path().join("absent.yaml"),
            "1:1: cannot be read: No such file",
        ),
        (
            directory.path().to_owned(),
            "1:1: cannot be read: it is a directory",
        ),
        (file("latin.yaml", b"a: b\nc: \xe4\n"), "2:4: not UTF-8"),
        (
            file("large.yaml", large.as_bytes()),
            "1:1: the file is too large",
        ),
        (file("empty.json", b""), "1:1: the file is empty"),
        (
            file("no-extension", b"{}"),
            "1:1: the file's name does not say its format",
        ),
    ];
    for (path, expected) in cases {
        let shown = load(&path, &environment).unwrap_err().to_string();
        assert!(shown.contains(expected), "{shown}");
        assert!(shown.starts_with(&path.display().to_string()));
    }
}

#[test]
fn long_keys_and_many_mistakes_stay_readable() {
    let key = "k".repeat(1 << 20);
    let text = format!("{key}: {{ a: 1 }}\n");
    let shown = parse(Path::new("a.yaml"), &text, &environment)
        .unwrap_err()
        .to_string();
    assert!(shown.len() < 1_000, "{}", shown.len());

    let text: String = (0..50_000)
        .map(|number| format!("k{number}: 1\n"))
        .collect();
    let mistakes = parse(Path::new("a.yaml"), &text, &environment).unwrap_err();
    assert_eq!(mistakes.len(), 50_001);
    assert!(mistakes.to_string().len() < 300_000);
}

/// A good file, changed at random, and plain noise: whatever comes, there is
/// an answer. The seed is fixed, so that a failure can be had again.
#[test]
fn no_text_makes_the_reader_panic() {
    let toml = "a = [1, { b = \"x\" }]\n[[routes]]\nname = \"a\"\n[services.users]\nweight = 1.5\n";
    let json =
        r#"{ "listeners": [{ "address": "127.0.0.1:80" }], "routes": [{ "name": "\u00e4" }] }"#;
    let texts = [("yaml", EXAMPLE), ("toml", toml), ("json", json)];
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..3_000 {
        let (extension, good) = texts[round % texts.len()];
        let text = match round % 5 {
            0 => noise(&mut random),
            _ => mutated(good, &mut random),
        };
        let path = format!("portcullis.{extension}");
        if let Err(mistakes) = parse(Path::new(&path), &text, &environment) {
            assert!(!mistakes.is_empty(), "refused without a reason:\n{text}");
            // YAML takes a carriage return for the end of a line.
            let lines = text.split(['\n', '\r']).count() + 1;
            for mistake in mistakes.iter() {
                assert!((1..=lines).contains(&mistake.at.line), "{mistakes}\n{text}");
            }
        }
    }
}

const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "\t",
    "\"",
    "'",
    "#",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "${",
    "ä",
    "\u{1f600}",
    "\r",
    "=",
    "\\",
    "---\n",
];

fn noise(random: &mut fastrand::Rng) -> String {
    (0..random.usize(..200))
        .map(|_| match random.bool() {
            true => random.choice(PIECES).unwrap_or("").to_owned(),
            false => random.char(..).to_string(),
        })
        .collect()
}

fn mutated(good: &str, random: &mut fastrand::Rng) -> String {
    let mut text: Vec<char> = good.chars().collect();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..text.len().max(1)).min(text.len());
        let to = (at + random.usize(..20)).min(text.len());
        match random.u8(..4) {
            0 => drop(text.drain(at..to)),
            1 => text.truncate(text.len() - random.usize(..text.len().clamp(1, 40))),
            2 => {
                let copy = text[at..to].to_vec();
                text.splice(at..at, copy);
            }
            _ => {
                let piece = random.choice(PIECES).unwrap_or("");
                text.splice(at..at, piece.chars());
            }
        }
    }
    text.into_iter().collect()
}

/// A thread's ordinary stack is enough for whatever the bounds let through.
#[test]
fn nesting_does_not_exhaust_the_stack() {
    let deep = |open: &str, close: &str, times| open.repeat(times) + &close.repeat(times);
    let cases = [
        ("yaml", deep("[", "]", 100_000)),
        ("yaml", deep("{a: ", "}", 50_000)),
        ("yaml", "- ".repeat(50_000)),
        ("yaml", "? ".repeat(50_000)),
        ("json", deep("[", "]", 100_000)),
        ("json", deep("{\"a\":", "}", 50_000)),
        ("toml", format!("a = {}", deep("[", "]", 100_000))),
        ("toml", vec!["a"; 50_000].join(".") + " = 1"),
    ];
    for (extension, text) in cases {
        let reader = thread::Builder::new().stack_size(2 << 20).spawn(move || {
            let path = format!("portcullis.{extension}");
            parse(Path::new(&path), &text, &environment).is_err()
        });
        assert!(reader.unwrap().join().unwrap());
    }
}
