//! Reader of where plugins come from and what each may use.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    CompileLimits, PluginLimits, Plugins,
    duration::duration_up_to,
    node::Value,
    reader::Item,
    scalar::{boolean, count, text},
    size::{GIB, KIB, MIB, size, size_in_memory},
};

/// A hook stalls its worker for as long as it runs.
const LONGEST_CALL: Duration = Duration::from_secs(10);
const LONGEST_START: Duration = Duration::from_secs(300);

/// A reload waits for it.
const LONGEST_COMPILATION: Duration = Duration::from_secs(3600);

/// Bytes of compiled plugins that are kept where nothing else is said.
pub const CACHE_SIZE: u64 = GIB;

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            memory: GIB,
        }
    }
}

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
            cache: Some(directory.join(".cache")),
            directory,
            cache_size: CACHE_SIZE,
            compile: CompileLimits::default(),
            limits: PluginLimits::default(),
        }
    }
}

/// `{ directory, cache, cache_size, compile, limits }`; paths are relative to `base`. None if the
/// directory is not known.
pub(super) fn plugins(item: &Item<'_>, base: &Path) -> Option<Plugins> {
    let fields = item.fields(&["directory", "cache", "cache_size", "compile", "limits"])?;
    let usual = Plugins::beside(base);
    let directory = match fields.get("directory") {
        Some(item) => path(&item, base)?,
        None => usual.directory,
    };
    Some(Plugins {
        cache: fields.read_or("cache", Some(directory.join(".cache")), |item| {
            cache(item, &directory, base)
        }),
        directory,
        cache_size: fields.read_or("cache_size", usual.cache_size, |item| {
            size(item, MIB..=1024 * GIB)
        }),
        compile: fields.read_or("compile", usual.compile, compile),
        limits: fields.read_or("limits", usual.limits, limits),
    })
}

/// A path, or whether there is a cache at all.
fn cache(item: &Item<'_>, directory: &Path, base: &Path) -> Option<Option<PathBuf>> {
    match item.node.value {
        Value::Boolean(_) => Some(boolean(item)?.then(|| directory.join(".cache"))),
        _ => path(item, base).map(Some),
    }
}

fn compile(item: &Item<'_>) -> Option<CompileLimits> {
    let fields = item.fields(&["timeout", "memory"])?;
    let usual = CompileLimits::default();
    Some(CompileLimits {
        timeout: fields.read_or("timeout", usual.timeout, |item| {
            duration_up_to(item, LONGEST_COMPILATION)
        }),
        memory: fields.read_or("memory", usual.memory, |item| {
            size(item, 128 * MIB..=1024 * GIB)
        }),
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
