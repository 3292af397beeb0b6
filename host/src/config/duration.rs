//! Readers of durations: `500ms`, `5s`, `1h 30m`.

use std::time::Duration;

use super::{reader::Item, scalar};

/// The longest duration where nothing shorter is said.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration above zero and up to 24 hours.
pub(super) fn duration(item: &Item<'_>) -> Option<Duration> {
    duration_up_to(item, LONGEST)
}

/// A duration above zero and up to `longest`.
pub(super) fn duration_up_to(item: &Item<'_>, longest: Duration) -> Option<Duration> {
    let duration = any(item, longest)?;
    if duration.is_zero() {
        return item.mistake("must be longer than zero", "such as `500ms`, `5s` or `1h`");
    }
    Some(duration)
}

/// A duration up to 24 hours, or none at all: `0s`.
pub(super) fn duration_or_zero(item: &Item<'_>) -> Option<Duration> {
    any(item, LONGEST)
}

fn any(item: &Item<'_>, longest: Duration) -> Option<Duration> {
    if let super::node::Value::Number(number) = &item.node.value {
        return item.mistake(
            "a duration needs a unit",
            format!("such as `{number}ms`, `{number}s` or `{number}h`"),
        );
    }
    let text = scalar::text(item)?;
    let Ok(duration) = humantime::parse_duration(text) else {
        let message = format!("{} is not a duration", item.shown(text));
        return item.mistake(message, "such as `500ms`, `5s` or `1h`");
    };
    if duration > longest {
        let most = humantime::format_duration(longest);
        return item.mistake("too long", format!("at most `{most}`"));
    }
    Some(duration)
}
