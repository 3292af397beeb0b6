//! Real files, changed in the ways that editors and mounts change them.

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

#[tokio::test]
async fn files_that_are_named_later_are_noticed_from_then_on() {
    let mut scene = Scene::new();
    assert!(scene.changes.changed().await, "the watch has begun");
    fs::create_dir(scene.path("tls")).unwrap();
    fs::write(scene.path("tls/a.pem"), "1").unwrap();
    let files = BTreeSet::from([scene.path("tls/a.pem")]);
    scene.changes.watch_also(files);
    assert!(
        scene.changes.changed().await,
        "other files count as a change"
    );
    assert!(
        scene
            .noticed(|root| fs::write(root.join("tls/a.pem"), "2").unwrap())
            .await
    );
}

#[test]
fn what_editors_leave_and_what_is_only_read_is_no_change() {
    let scene = Scene::new();
    let targets = Targets::new(
        &scene.path("portcullis.yaml"),
        &scene.path("plugins"),
        BTreeSet::new(),
    );
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
    let targets = Targets::new(
        &scene.path("portcullis.yaml"),
        &scene.path("plugins"),
        BTreeSet::new(),
    );
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
    let targets = Targets::new(
        &scene.path("portcullis.yaml"),
        &scene.path("plugins"),
        BTreeSet::new(),
    );
    drop(changes);
    signals.send(Signal::Changed).unwrap();
    run(targets, &received, &signals, &changed);
}
