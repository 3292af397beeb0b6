//! A strict reader of the text format, for tests.

use std::collections::{BTreeMap, BTreeSet};

/// Samples by name with labels in the order shown: `name{a="b",c="d"}`, the
/// values unescaped.
pub(super) type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

/// Reads text of the format and panics at whatever is not strictly right:
/// syntax, a head for each family and only one, families in one piece, names,
/// series that come twice, buckets that do not add up.
pub(super) fn read(text: &str) -> Samples {
    assert!(text.ends_with('\n'));
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let (mut family, mut kind) = (String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').expect("help");
            assert!(
                !words.is_empty() && families.insert(name.to_owned()),
                "{line}"
            );
            let typed = lines
                .next()
                .and_then(|line| line.strip_prefix("# TYPE "))
                .expect("a type");
            let (typed, of) = typed.split_once(' ').expect("a type");
            assert_eq!(typed, name);
            assert!(
                ["counter", "gauge", "histogram", "untyped"].contains(&of),
                "{of}"
            );
            (family, kind) = (name.to_owned(), of.to_owned());
            continue;
        }
        let (name, labels, value) = sample(line);
        let suffix = name
            .strip_prefix(&family)
            .unwrap_or_else(|| panic!("{line} in {family}"));
        match kind.as_str() {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        if kind == "counter" {
            assert!(value >= 0.0, "{line}");
        }
        assert!(
            samples.insert((name, labels), value).is_none(),
            "twice: {line}"
        );
    }
    buckets_add_up(&samples);
    samples
}

fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    while let Some(more) = rest.strip_prefix(['{', ',']) {
        let (label, quoted) = more.split_once("=\"").expect("a label");
        assert!(is_name(label) && !label.contains(':'), "{line}");
        let (value, after) = unescape(quoted);
        assert!(labels.iter().all(|(known, _)| known != label), "{line}");
        labels.push((label.to_owned(), value));
        rest = after;
    }
    if !labels.is_empty() {
        rest = rest.strip_prefix('}').expect("a brace");
    }
    let value = rest.strip_prefix(' ').expect("one space");
    (name.to_owned(), labels, value.parse().expect("a number"))
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(good) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn unescape(quoted: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), quoted.chars());
    loop {
        match characters.next().expect("a closing quote") {
            '"' => return (value, characters.as_str()),
            '\\' => value.push(match characters.next() {
                Some('n') => '\n',
                Some(same @ ('\\' | '"')) => same,
                other => panic!("no such escape: {other:?}"),
            }),
            plain => value.push(plain),
        }
    }
}

fn buckets_add_up(samples: &Samples) {
    let mut last: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for ((name, labels), count) in samples {
        if let Some(family) = name.strip_suffix("_bucket") {
            let bound = labels
                .iter()
                .find(|(name, _)| name == "le")
                .expect("a bound");
            let rest: Vec<_> = labels.iter().filter(|(name, _)| name != "le").collect();
            let series = last.entry(format!("{family} {rest:?}")).or_default();
            series.push((bound.1.parse().expect("a bound"), *count));
            let total = (
                format!("{family}_count"),
                rest.into_iter().cloned().collect(),
            );
            if bound.1 == "+Inf" {
                assert_eq!(samples[&total], *count);
            }
        }
    }
    for series in last.values_mut() {
        series.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(series.is_sorted_by(|a, b| a.1 <= b.1), "{series:?}");
        assert_eq!(series.last().map(|(bound, _)| *bound), Some(f64::INFINITY));
    }
}

/// The value of a series, its labels in the order shown.
pub(super) fn value(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    samples.get(&(name.to_owned(), labels.collect())).copied()
}
