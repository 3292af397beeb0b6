//! Readers of plain values: text, numbers, choices.
//!
//! Text that came from the environment is also taken where a number or a
//! boolean is wanted: a variable is always text.

use std::{num::NonZeroU32, ops::RangeInclusive};

use super::{node::Value, reader::Item, suggest};

/// Text as it is.
pub(super) fn text<'a>(item: &Item<'a>) -> Option<&'a str> {
    match &item.node.value {
        Value::Text(text) => Some(text),
        Value::Number(number) => {
            item.wrong_type("text", &format!("put it in quotes: \"{number}\""))
        }
        Value::Boolean(boolean) => {
            item.wrong_type("text", &format!("put it in quotes: \"{boolean}\""))
        }
        _ => item.wrong_type("text", "write one value, in quotes if in doubt"),
    }
}

/// `true` or `false`.
pub(super) fn boolean(item: &Item<'_>) -> Option<bool> {
    match &item.node.value {
        Value::Boolean(boolean) => Some(*boolean),
        Value::Text(text) if item.node.interpolated && text == "true" => Some(true),
        Value::Text(text) if item.node.interpolated && text == "false" => Some(false),
        _ => item.wrong_type("true or false", "without quotes"),
    }
}

/// A whole number within a range.
pub(super) fn whole(item: &Item<'_>, range: RangeInclusive<u64>) -> Option<u64> {
    let number = match &item.node.value {
        Value::Number(number) => number.as_u64(),
        Value::Text(text) if item.node.interpolated => text.trim().parse().ok(),
        _ => return item.wrong_type("a whole number", &expected(&range)),
    };
    match number {
        Some(number) if range.contains(&number) => Some(number),
        _ => item.mistake("out of range", expected(&range)),
    }
}

/// The same as `u32`.
pub(super) fn small(item: &Item<'_>, range: RangeInclusive<u32>) -> Option<u32> {
    let range = u64::from(*range.start())..=u64::from(*range.end());
    whole(item, range)?.try_into().ok()
}

/// The same as `usize`.
pub(super) fn count(item: &Item<'_>, range: RangeInclusive<u64>) -> Option<usize> {
    whole(item, range)?.try_into().ok()
}

/// A whole number from 1.
pub(super) fn positive(item: &Item<'_>, most: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(small(item, 1..=most)?)
}

fn expected(range: &RangeInclusive<u64>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

/// One of some words.
pub(super) fn choice<T: Copy>(item: &Item<'_>, choices: &[(&str, T)]) -> Option<T> {
    let text = text(item)?;
    match choices.iter().find(|(word, _)| *word == text) {
        Some((_, choice)) => Some(*choice),
        None => item.mistake(
            format!("{} is not one of the choices", item.shown(text)),
            suggest::hint(text, choices.iter().map(|(word, _)| *word)),
        ),
    }
}
