//! Reader of when a plugin that fails is not called for a while.

use std::{num::NonZeroU32, time::Duration};

use super::{
    QuarantinePolicy,
    duration::duration,
    reader::Item,
    scalar::{boolean, positive, small},
};

impl Default for QuarantinePolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            failures: NonZeroU32::MIN.saturating_add(4),
            percent: 50,
            within: Duration::from_secs(10),
            base: Duration::from_secs(1),
            max: Duration::from_secs(60),
        }
    }
}

/// `{ enabled, failures, percent, within, base, max }`.
pub(super) fn quarantine(item: &Item<'_>) -> Option<QuarantinePolicy> {
    let fields = item.fields(&["enabled", "failures", "percent", "within", "base", "max"])?;
    let usual = QuarantinePolicy::default();
    let base = fields.read("base", duration);
    let max = fields.read("max", duration);
    if let (Some(base), Some(max)) = (base, max)
        && base > max
    {
        let hint = "a quarantine grows from `base` to `max`";
        return item.mistake("`base` is longer than `max`", hint);
    }
    // What is not said gives way to what is.
    let base = base.unwrap_or(usual.base.min(max.unwrap_or(usual.base)));
    Some(QuarantinePolicy {
        enabled: fields.read_or("enabled", usual.enabled, boolean),
        failures: fields.read_or("failures", usual.failures, |item| positive(item, 1_000_000)),
        percent: fields.read_or("percent", usual.percent, |item| small(item, 0..=100)),
        within: fields.read_or("within", usual.within, duration),
        base,
        max: max.unwrap_or(usual.max.max(base)),
    })
}
