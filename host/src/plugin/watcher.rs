//! Changes of the plugin directory and of the configuration file.
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
    _signals: Sender<Signal>,
}

impl Changes {
    /// Waits for a change of what is watched: any number since the last call
    /// count as one. False if nothing is watched any more. Cancel safe.
    pub async fn changed(&mut self) -> bool {
        self.changes.recv().await.is_some()
    }
}

/// Watches a configuration file and a plugin directory. The first change is
/// told as soon as the watch has begun, whether or not there was one.
pub fn watch(file: &Path, directory: &Path) -> Changes {
    let (signals, received) = channel();
    let (changed, changes) = mpsc::channel(1);
    let targets = Targets::new(file, directory);
    let stop = signals.clone();
    let started = thread::Builder::new()
        .name("file-changes".into())
        .spawn(move || run(&targets, &received, signals, &changed));
    if let Err(error) = started {
        tracing::error!("changes of files are not noticed: {error}");
    }
    Changes {
        changes,
        _signals: stop,
    }
}

/// What the thread is told.
enum Signal {
    Changed,
    Failed(notify::Error),
}

fn run(
    targets: &Targets,
    received: &Receiver<Signal>,
    signals: Sender<Signal>,
    changed: &mpsc::Sender<()>,
) {
    let mut stamp = targets.stamp();
    let watcher = watcher(targets, signals);
    let mut period = match &watcher {
        Ok(_) => SAFETY_POLL,
        Err(error) => {
            tracing::warn!("cannot watch files, looking every second instead: {error}");
            POLL
        }
    };
    // What changed since the caller read the files, before the watch began,
    // nobody else would tell.
    let _ = changed.try_send(());
    while !changed.is_closed() {
        match received.recv_timeout(period) {
            Ok(Signal::Changed) => settle(received),
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

/// Waits for the end of a burst.
fn settle(received: &Receiver<Signal>) {
    let end = Instant::now() + LONGEST_BURST;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || received.recv_timeout(QUIET.min(left)).is_err() {
            return;
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
    /// The configuration file, as named, and where it really is.
    files: Vec<PathBuf>,
    plugins: PathBuf,
}

impl Targets {
    fn new(file: &Path, plugins: &Path) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let named = absolute(file);
        let real = fs::canonicalize(&named).ok().filter(|real| *real != named);
        Self {
            files: [Some(named), real].into_iter().flatten().collect(),
            plugins: absolute(plugins),
        }
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
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A configuration file, a plugin directory, and what watches them.
    struct Scene {
        root: tempfile::TempDir,
        changes: Changes,
    }

    impl Scene {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("plugins")).unwrap();
            fs::write(root.path().join("portcullis.yaml"), "a").unwrap();
            let file = root.path().join("portcullis.yaml");
            let changes = watch(&file, &root.path().join("plugins"));
            Self { root, changes }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.root.path().join(path)
        }

        /// Repeats a change until it is noticed: the watch may just begin.
        async fn noticed(&mut self, change: impl Fn(&Path)) -> bool {
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end {
                change(self.root.path());
                let noticed = self.changes.changed();
                if tokio::time::timeout(Duration::from_secs(1), noticed)
                    .await
                    .is_ok()
                {
                    return true;
                }
            }
            false
        }
    }

    #[tokio::test]
    async fn writing_renaming_and_swapping_links_are_noticed() {
        let mut scene = Scene::new();
        assert!(scene.changes.changed().await, "the watch has begun");
        assert!(
            scene
                .noticed(|root| fs::write(root.join("portcullis.yaml"), "b").unwrap())
                .await
        );
        assert!(
            scene
                .noticed(|root| {
                    fs::write(root.join("plugins/.x.tmp"), "x").unwrap();
                    fs::rename(root.join("plugins/.x.tmp"), root.join("plugins/x.wasm")).unwrap();
                })
                .await
        );
        assert!(
            scene
                .noticed(|root| {
                    std::os::unix::fs::symlink("v2", root.join("..data_tmp")).unwrap();
                    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
                })
                .await
        );
        assert!(
            scene
                .noticed(|root| drop(fs::remove_file(root.join("plugins/x.wasm"))))
                .await
        );
    }

    #[test]
    fn what_editors_leave_and_what_is_only_read_is_no_change() {
        let scene = Scene::new();
        let targets = Targets::new(&scene.path("portcullis.yaml"), &scene.path("plugins"));
        for (path, expected) in [
            ("portcullis.yaml", true),
            ("plugins/a.wasm", true),
            ("..data", true),
            ("plugins/..data_tmp", true),
            ("other.yaml", false),
            (".portcullis.yaml.swp", false),
            ("plugins/.a.wasm.swp", false),
            ("plugins/a.wasm~", false),
            ("a.wasm", false),
        ] {
            let event = Event::new(EventKind::Any).add_path(scene.path(path));
            assert_eq!(targets.concern(&event), expected, "{path}");
            let read = Event::new(EventKind::Access(AccessKind::Read)).add_path(scene.path(path));
            assert!(!targets.concern(&read));
        }
    }

    #[test]
    fn looking_finds_every_change_of_a_plugin() {
        let scene = Scene::new();
        let targets = Targets::new(&scene.path("portcullis.yaml"), &scene.path("plugins"));
        let mut stamp = targets.stamp();
        for (name, content) in [("a.wasm", "1"), ("a.wasm", "12"), ("b.wasm", "")] {
            fs::write(scene.path("plugins").join(name), content).unwrap();
            let now = targets.stamp();
            assert_ne!(now, stamp, "{name} {content}");
            stamp = now;
        }
        fs::write(scene.path("plugins/notes.txt"), "").unwrap();
        assert_eq!(targets.stamp(), stamp);
    }

    #[tokio::test]
    async fn the_thread_ends_with_its_listener() {
        let (signals, received) = channel();
        let (changed, changes) = mpsc::channel(1);
        let scene = Scene::new();
        let targets = Targets::new(&scene.path("portcullis.yaml"), &scene.path("plugins"));
        drop(changes);
        signals.send(Signal::Changed).unwrap();
        run(&targets, &received, signals, &changed);
    }
}
