//! Readers of sizes in bytes: `64KiB`, `10GiB`, or a plain number of bytes.

use std::ops::RangeInclusive;

use super::{node::Value, reader::Item, scalar};

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// Units by name, the longest first where one ends with another.
const UNITS: [(&str, u64); 4] = [("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];

/// A size within a range, in bytes.
pub(super) fn size(item: &Item<'_>, range: RangeInclusive<u64>) -> Option<u64> {
    let bytes = match &item.node.value {
        Value::Number(number) => number.as_u64(),
        _ => parse(scalar::text(item)?),
    };
    let Some(bytes) = bytes else {
        return item.mistake("not a size", "such as `64KiB`, `16MiB` or `1GiB`");
    };
    if !range.contains(&bytes) {
        let (least, most) = (shown(*range.start()), shown(*range.end()));
        return item.mistake("out of range", format!("from {least} to {most}"));
    }
    Some(bytes)
}

/// The same as `usize`.
pub(super) fn size_in_memory(item: &Item<'_>, range: RangeInclusive<u64>) -> Option<usize> {
    size(item, range)?.try_into().ok()
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = UNITS
        .into_iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    number.trim().parse::<u64>().ok()?.checked_mul(bytes)
}

/// A size in its largest whole unit.
pub(super) fn shown(bytes: u64) -> String {
    let unit = UNITS
        .into_iter()
        .find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        let cases = [
            ("64KiB", Some(64 * KIB), "64KiB"),
            ("2048 KiB", Some(2 * MIB), "2MiB"),
            ("1500B", Some(1500), "1500B"),
            ("7", Some(7), "7B"),
            ("0", Some(0), "0B"),
            ("64kb", None, ""),
            ("-1KiB", None, ""),
            ("99999999999GiB", None, ""),
        ];
        for (text, bytes, back) in cases {
            assert_eq!(parse(text), bytes, "{text}");
            assert_eq!(parse(text).map(shown).unwrap_or_default(), back);
        }
    }
}
