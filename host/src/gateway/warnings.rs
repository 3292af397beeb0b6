//! What the log says of a configuration that works, and still deserves a look.

use crate::{config::Config, snapshot::Draft};

/// Says what the gateway does without.
pub(super) fn warn_of_missing(draft: &Draft) {
    if draft.missing().next().is_some() {
        let why = draft.why_missing();
        tracing::error!("required plugins are missing, and what needs them answers 503:\n{why}");
    }
}

/// Says what works and still deserves a look.
pub(super) fn warn_of_doubtful(draft: &Draft) {
    let warnings = draft.warnings();
    if !warnings.is_empty() {
        tracing::warn!("this works, and deserves a look:\n{warnings}");
    }
}

/// True if what listens can go on and be as `new` says.
fn listeners_can_become(started: &Config, new: &Config) -> bool {
    let pairs = started.listeners.iter().zip(&new.listeners);
    started.listeners.len() == new.listeners.len()
        && pairs.into_iter().all(|(old, new)| old.can_become(new))
}

/// Says what of a new configuration waits for the next start.
pub(super) fn warn_of_fixed_parts(started: &Config, new: &Config) {
    let parts = [
        ("workers", started.workers != new.workers),
        ("listeners", !listeners_can_become(started, new)),
        ("admin", started.admin != new.admin),
        ("limits", started.limits != new.limits),
        (
            "plugins.directory",
            started.plugins.directory != new.plugins.directory,
        ),
        ("plugins.cache", started.plugins.cache != new.plugins.cache),
        (
            "plugins.cache_size",
            started.plugins.cache_size != new.plugins.cache_size,
        ),
        (
            "plugins.compile",
            started.plugins.compile != new.plugins.compile,
        ),
    ];
    for (part, _) in parts.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("{part} changed: this takes effect at the next start");
    }
}
