//! Reader of where plugins come from and what each may use.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Allow, CompileLimits, NamedPlugin, PluginLimits, Plugins, QuarantinePolicy,
    allow::allow,
    duration::duration_up_to,
    name,
    node::Value,
    plugin_limits,
    quarantine::quarantine,
    reader::Item,
    route::Services,
    scalar::{boolean, text},
    size::{GIB, KIB, MIB, size, size_in_memory},
};

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

/// What a plugin may use unless a step says otherwise.
pub(super) struct OfPlugin<'a> {
    pub(super) limits: &'a PluginLimits,
    pub(super) allow: &'a Allow,
}

/// The largest plugin file that can be asked for, in bytes.
const LARGEST_FILE: u64 = GIB;

impl Plugins {
    /// What holds for a file in `base` without `plugins`.
    pub(super) fn beside(base: &Path) -> Self {
        let directory = base.join("plugins");
        Self {
            cache: Some(directory.join(".cache")),
            directory,
            cache_size: CACHE_SIZE,
            compile: CompileLimits::default(),
            file_size: Usual::default().file_size,
            limits: PluginLimits::default(),
            quarantine: QuarantinePolicy::default(),
            allow: Allow::default(),
            named: BTreeMap::new(),
        }
    }

    /// What holds for the plugin of a name.
    pub(super) fn of(&self, plugin: &str) -> OfPlugin<'_> {
        match self.named.get(plugin) {
            Some(NamedPlugin { limits, allow, .. }) => OfPlugin { limits, allow },
            None => OfPlugin {
                limits: &self.limits,
                allow: &self.allow,
            },
        }
    }
}

/// `{ directory, cache, cache_size, compile, limits,
/// quarantine, named }`; paths are relative
/// to `base`. None if the directory is not known.
pub(super) fn plugins(item: &Item<'_>, base: &Path, services: &Services<'_>) -> Option<Plugins> {
    let fields = item.fields(&[
        "directory",
        "cache",
        "cache_size",
        "compile",
        "limits",
        "quarantine",
        "named",
    ])?;
    let Usual { file_size, limits } = fields.read("limits", usual).unwrap_or_default();
    let named = fields.read("named", |item| named(item, &limits, services));
    let beside = Plugins::beside(base);
    let directory = match fields.get("directory") {
        Some(item) => path(&item, base)?,
        None => beside.directory,
    };
    Some(Plugins {
        cache: fields.read_or("cache", Some(directory.join(".cache")), |item| {
            cache(item, &directory, base)
        }),
        directory,
        cache_size: fields.read_or("cache_size", beside.cache_size, |item| {
            size(item, MIB..=1024 * GIB)
        }),
        compile: fields.read_or("compile", beside.compile, compile),
        file_size,
        limits,
        allow: beside.allow,
        named: named.unwrap_or_default(),
        quarantine: fields.read_or("quarantine", beside.quarantine, quarantine),
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

/// `plugins.limits`: those of every plugin, and what its file may have.
struct Usual {
    file_size: usize,
    limits: PluginLimits,
}

impl Default for Usual {
    fn default() -> Self {
        Self {
            file_size: 64 << 20,
            limits: PluginLimits::default(),
        }
    }
}

fn usual(item: &Item<'_>) -> Option<Usual> {
    const KEYS: [&str; plugin_limits::KEYS.len() + 1] = {
        let mut keys = ["file_size"; plugin_limits::KEYS.len() + 1];
        let mut index = 0;
        while index < plugin_limits::KEYS.len() {
            keys[index] = plugin_limits::KEYS[index];
            index += 1;
        }
        keys
    };
    let fields = item.fields(&KEYS)?;
    let default = Usual::default();
    Some(Usual {
        file_size: fields.read_or("file_size", default.file_size, |item| {
            size_in_memory(item, KIB..=LARGEST_FILE)
        }),
        limits: plugin_limits::read(&fields, &default.limits),
    })
}

/// `NAME: { limits, allow }` for single plugins.
fn named(
    item: &Item<'_>,
    usual: &PluginLimits,
    services: &Services<'_>,
) -> Option<BTreeMap<String, NamedPlugin>> {
    let entries = item.entries("`NAME: { limits: { memory: 16MiB } }`")?;
    let named = entries.into_iter().filter_map(|(entry, item)| {
        let name = name::checked(&item, entry.at, &entry.key)?;
        let fields = item.fields(&["limits", "allow"])?;
        let limits = fields.read("limits", |item| plugin_limits::limits(item, usual));
        let default = Allow::default();
        let plugin = NamedPlugin {
            limits: limits.unwrap_or_else(|| usual.clone()),
            allow: fields
                .read("allow", |item| allow(item, &default, services))
                .unwrap_or(default),
            at: entry.at,
        };
        Some((name, plugin))
    });
    Some(named.collect())
}
