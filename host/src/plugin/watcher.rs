//! Changes of the plugin directory, of the configuration file, and of the
//! files that it names.
//!
//! A thread of its own watches the directories rather than the files, so that
//! renames, atomic saves and symlink swaps (Kubernetes' `..data`) are seen,
//! and waits until a burst is over. It also looks by itself now and then:
//! often where the system cannot watch, seldom where it can, for a directory
//! that was removed and made again, and for file systems that say nothing.
//! Loads nothing: what a change means is for the caller to find out.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant, SystemTime},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::mpsc;

/// How long nothing may happen until a burst of changes is over, and how long
/// a burst may last.
const QUIET: Duration = Duration::from_millis(150);
const LONGEST_BURST: Duration = Duration::from_millis(500);

/// How often the thread looks by itself: where the system cannot watch, and
/// where it can.
const POLL: Duration = Duration::from_secs(1);
const SAFETY_POLL: Duration = Duration::from_secs(10);

/// Says that something may have changed.
pub struct Changes {
    changes: mpsc::Receiver<()>,
    /// Ends the thread when it is dropped.
    signals: Sender<Signal>,
}

impl Changes {
    /// Waits for a change of what is watched: any number since the last call
    /// count as one. False if nothing is watched any more. Cancel safe.
    pub async fn changed(&mut self) -> bool {
        self.changes.recv().await.is_some()
    }

    /// Watches these files as well, and no others that were named before. Tells
    /// a change if they are others, for they may have changed since they were read.
    pub fn watch_also(&self, files: BTreeSet<PathBuf>) {
        // The thread has ended: `changed` says so.
        let _ = self.signals.send(Signal::Also(files));
    }
}

/// Watches a configuration file and a plugin directory. The first change is
/// told as soon as the watch has begun, whether or not there was one.
pub fn watch(file: &Path, directory: &Path) -> Changes {
    let (signals, received) = channel();
    let (changed, changes) = mpsc::channel(1);
    let targets = Targets::new(file, directory, BTreeSet::new());
    let stop = signals.clone();
    let started = thread::Builder::new()
        .name("file-changes".into())
        .spawn(move || run(targets, &received, &signals, &changed));
    if let Err(error) = started {
        tracing::error!("changes of files are not noticed: {error}");
    }
    Changes {
        changes,
        signals: stop,
    }
}

/// What the thread is told.
enum Signal {
    Changed,
    Failed(notify::Error),
    /// These files are to be watched as well.
    Also(BTreeSet<PathBuf>),
}

fn run(
    mut targets: Targets,
    received: &Receiver<Signal>,
    signals: &Sender<Signal>,
    changed: &mpsc::Sender<()>,
) {
    let mut stamp = targets.stamp();
    let (mut _watcher, mut period) = begin(&targets, signals);
    // What changed since the caller read the files, before the watch began,
    // nobody else would tell.
    let _ = changed.try_send(());
    while !changed.is_closed() {
        match received.recv_timeout(period) {
            Ok(Signal::Also(files)) if files == targets.also => continue,
            Ok(Signal::Also(files)) => {
                targets = targets.with(files);
                (_watcher, period) = begin(&targets, signals);
            }
            Ok(Signal::Changed) => {
                if let Some(files) = settle(received).filter(|files| *files != targets.also) {
                    targets = targets.with(files);
                    (_watcher, period) = begin(&targets, signals);
                }
            }
            Ok(Signal::Failed(error)) => {
                tracing::warn!("watching files failed, looking every second as well: {error}");
                period = POLL;
            }
            Err(RecvTimeoutError::Timeout) if targets.stamp() == stamp => continue,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        stamp = targets.stamp();
        // Full means that a change is waiting to be seen: this one with it.
        let _ = changed.try_send(());
    }
}

/// Begins to watch, and says how often to look besides. The watcher ends when
/// it is dropped.
fn begin(
    targets: &Targets,
    signals: &Sender<Signal>,
) -> (notify::Result<RecommendedWatcher>, Duration) {
    let watcher = watcher(targets, signals.clone());
    let period = match &watcher {
        Ok(_) => SAFETY_POLL,
        Err(error) => {
            tracing::warn!("cannot watch files, looking every second instead: {error}");
            POLL
        }
    };
    (watcher, period)
}

/// Waits for the end of a burst. Gives what is to be watched from now on, if
/// that was said meanwhile.
fn settle(received: &Receiver<Signal>) -> Option<BTreeSet<PathBuf>> {
    let end = Instant::now() + LONGEST_BURST;
    let mut also = None;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return also;
        }
        match received.recv_timeout(QUIET.min(left)) {
            Ok(Signal::Also(files)) => also = Some(files),
            Ok(_) => {}
            Err(_quiet) => return also,
        }
    }
}

fn watcher(targets: &Targets, signals: Sender<Signal>) -> notify::Result<RecommendedWatcher> {
    let of = targets.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let signal = match event {
            Ok(event) if of.concern(&event) => Signal::Changed,
            Ok(_) => return,
            Err(error) => Signal::Failed(error),
        };
        // The thread has ended: nobody is left to tell.
        let _ = signals.send(signal);
    })?;
    for directory in targets.directories() {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// What is watched.
#[derive(Debug, Clone)]
struct Targets {
    /// The configuration file.
    file: PathBuf,
    /// Files that it names.
    also: BTreeSet<PathBuf>,
    /// All files, as named, and where they really are.
    files: Vec<PathBuf>,
    plugins: PathBuf,
}

impl Targets {
    fn new(file: &Path, plugins: &Path, also: BTreeSet<PathBuf>) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut files = Vec::new();
        for named in [file].into_iter().chain(also.iter().map(PathBuf::as_path)) {
            let named = absolute(named);
            files.extend(fs::canonicalize(&named).ok().filter(|real| *real != named));
            files.push(named);
        }
        Self {
            file: file.to_owned(),
            also,
            files,
            plugins: absolute(plugins),
        }
    }

    /// The same with other files that the configuration names.
    fn with(&self, also: BTreeSet<PathBuf>) -> Self {
        Self::new(&self.file, &self.plugins, also)
    }

    fn directories(&self) -> BTreeSet<&Path> {
        let of_files = self.files.iter().filter_map(|file| file.parent());
        of_files.chain([&*self.plugins]).collect()
    }

    /// True if an event may have changed what is watched. Reading a file is an
    /// event as well, and must not count: a reload reads.
    fn concern(&self, event: &Event) -> bool {
        let changes = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            _ => true,
        };
        changes && (event.need_rescan() || event.paths.iter().any(|path| self.concerns(path)))
    }

    fn concerns(&self, path: &Path) -> bool {
        if self.files.iter().any(|file| file == path) || path == self.plugins {
            return true;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // What a mounted ConfigMap is swapped by.
        if name.starts_with("..data") {
            return true;
        }
        path.parent() == Some(&*self.plugins) && name.ends_with(".wasm") && !name.starts_with('.')
    }

    /// The state of everything that is watched: what differs has changed.
    fn stamp(&self) -> Vec<Stamp> {
        let mut paths = self.files.clone();
        let entries = fs::read_dir(&self.plugins).into_iter().flatten().flatten();
        let plugins = entries.map(|entry| entry.path());
        paths.extend(plugins.filter(|path| path.extension() == Some(OsStr::new("wasm"))));
        paths.sort();
        paths.into_iter().map(Stamp::of).collect()
    }
}

/// The state of one file.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    modified: Option<SystemTime>,
    length: u64,
}

impl Stamp {
    fn of(path: PathBuf) -> Self {
        let metadata = fs::metadata(&path).ok();
        Self {
            modified: metadata
                .as_ref()
                .and_then(|metadata| metadata.modified().ok()),
            length: metadata.map_or(0, |metadata| metadata.len()),
            path,
        }
    }
}

#[cfg(test)]
mod tests;
