//! Reader of where plugins come from and what each may use.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    PluginLimits, Plugins,
    duration::duration_up_to,
    reader::Item,
    scalar::{count, text},
    size::{GIB, KIB, size_in_memory},
};

/// A hook stalls its worker for as long as it runs.
const LONGEST_CALL: Duration = Duration::from_secs(10);
const LONGEST_START: Duration = Duration::from_secs(300);

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            table: 10_000,
            call_timeout: Duration::from_millis(50),
            start_timeout: Duration::from_secs(2),
        }
    }
}

impl Plugins {
    /// What holds for a file in `base` without `plugins`.
    pub(super) fn beside(base: &Path) -> Self {
        let directory = base.join("plugins");
        Self {
            cache: directory.join(".cache"),
            directory,
            limits: PluginLimits::default(),
        }
    }
}

/// `{ directory, cache, limits }`; paths are relative to `base`. None if the
/// directory is not known.
pub(super) fn plugins(item: &Item<'_>, base: &Path) -> Option<Plugins> {
    let fields = item.fields(&["directory", "cache", "limits"])?;
    let usual = Plugins::beside(base);
    let directory = match fields.get("directory") {
        Some(item) => path(&item, base)?,
        None => usual.directory,
    };
    Some(Plugins {
        cache: fields.read_or("cache", directory.join(".cache"), |item| path(item, base)),
        directory,
        limits: fields.read_or("limits", usual.limits, limits),
    })
}

fn path(item: &Item<'_>, base: &Path) -> Option<PathBuf> {
    let text = text(item)?;
    if text.is_empty() || text.contains('\0') {
        return item.mistake(
            "not a path",
            "a directory, relative to this file: `plugins`",
        );
    }
    Some(base.join(text))
}

fn limits(item: &Item<'_>) -> Option<PluginLimits> {
    let fields = item.fields(&["memory", "table", "call_timeout", "start_timeout"])?;
    let usual = PluginLimits::default();
    Some(PluginLimits {
        memory: fields.read_or("memory", usual.memory, |item| {
            size_in_memory(item, 64 * KIB..=4 * GIB)
        }),
        table: fields.read_or("table", usual.table, |item| count(item, 1..=10_000_000)),
        call_timeout: fields.read_or("call_timeout", usual.call_timeout, |item| {
            duration_up_to(item, LONGEST_CALL)
        }),
        start_timeout: fields.read_or("start_timeout", usual.start_timeout, |item| {
            duration_up_to(item, LONGEST_START)
        }),
    })
}
