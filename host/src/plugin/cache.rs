//! Compiled plugins on disk, by the hash of their content and of the engine.
//!
//! Machine code from a file is trusted only if this process's user alone can
//! have written it: the directory is ours and closed to others, the file is
//! ours, and its content has the hash it was stored with. Whatever else is
//! found there is compiled anew and written over.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

/// What a file begins with, before the hash of the rest.
const MAGIC: &[u8; 16] = b"portcullis code\n";

/// Files kept; the longest unused go first.
const FILES: usize = 256;

/// The largest file that is read back.
const LARGEST: u64 = 1 << 30;

/// A directory of compiled plugins.
pub(super) struct Cache {
    directory: PathBuf,
    owner: u32,
}

impl Cache {
    /// Opens the directory, makes it if it is not there, and refuses one that
    /// others can write to.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let metadata = fs::symlink_metadata(directory)?;
        // Who we are is what the system says of a file that we make.
        let owner = owner_of_new_files(directory)?;
        if !metadata.is_dir() || !private(&metadata, owner) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it belongs to somebody else, or others can write to it",
            ));
        }
        Ok(Self {
            directory: directory.to_owned(),
            owner,
        })
    }

    /// The compiled form that was stored for a key, if there is one that can
    /// be trusted and still fits the engine.
    pub(super) fn load(&self, engine: &Engine, key: &str) -> Option<Component> {
        let code = match self.read(key) {
            Ok(code) => code?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("cannot read a compiled plugin, compiling it again: {error}");
                return None;
            }
        };
        match deserialize(engine, &code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::debug!("a compiled plugin does not fit, compiling it again: {error:#}");
                None
            }
        }
    }

    /// Keeps the compiled form of a key. Failing to is no failure of the
    /// plugin, so it is only logged.
    pub(super) fn store(&self, key: &str, component: &Component) {
        let stored = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.write(key, &code));
        match stored {
            Ok(()) => self.prune(),
            Err(error) => tracing::warn!("cannot keep a compiled plugin: {error}"),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.directory.join(format!("{key}.code"))
    }

    /// None if the file is not what we wrote.
    fn read(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        let mut file = File::open(self.path(key))?;
        let metadata = file.metadata()?;
        let ours = metadata.is_file() && private(&metadata, self.owner);
        if !ours || metadata.len() > LARGEST {
            return Ok(None);
        }
        let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        Read::take(&mut file, LARGEST).read_to_end(&mut content)?;
        // Keeps what is in use from being pruned; a failure costs a compilation.
        let _ = file.set_modified(SystemTime::now());
        Ok(intact(content))
    }

    /// Whole or not at all: a file of its own, then a new name.
    fn write(&self, key: &str, code: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .suffix(".partial")
            .tempfile_in(&self.directory)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.persist(self.path(key))?;
        Ok(())
    }

    /// Removes what was not used for longest.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .filter(|(_, path)| {
                path.extension()
                    .is_some_and(|e| e == "code" || e == "partial")
            })
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(FILES);
        for (_, path) in &files[..surplus] {
            // Another process may have removed it first.
            let _ = fs::remove_file(path);
        }
    }
}

/// The code in a file's content, if it has the hash it was written with.
fn intact(content: Vec<u8>) -> Option<Vec<u8>> {
    let rest = content.strip_prefix(MAGIC)?;
    let (hash, code) = rest.split_at_checked(32)?;
    (Sha256::digest(code)[..] == *hash).then(|| code.to_vec())
}

fn private(metadata: &Metadata, owner: u32) -> bool {
    metadata.uid() == owner && metadata.mode() & 0o022 == 0
}

fn owner_of_new_files(directory: &Path) -> io::Result<u32> {
    Ok(tempfile::tempfile_in(directory)?.metadata()?.uid())
}

#[expect(
    unsafe_code,
    reason = "machine code is loaded, which no type can check"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must be what `Component::serialize` gave. `read` has
    // made sure that the file and its directory are this user's own and closed
    // to others, so that only this program's `write` can have put them there,
    // and that they have the hash they were written with, so that they are
    // whole. Wasmtime itself refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_whole_content_of_ours_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        let cache = Cache::open(&directory).unwrap();
        cache.write("key", b"code").unwrap();
        assert_eq!(cache.read("key").unwrap().as_deref(), Some(&b"code"[..]));

        let path = cache.path("key");
        let content = fs::read(&path).unwrap();
        for damage in [
            content[..content.len() - 1].to_vec(),
            [&content[..], b"x"].concat(),
            [b"Portcullis code\n", &content[16..]].concat(),
            b"code".to_vec(),
            Vec::new(),
        ] {
            fs::write(&path, damage).unwrap();
            assert_eq!(cache.read("key").unwrap(), None);
        }

        fs::write(&path, &content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(
            cache.read("key").unwrap(),
            None,
            "others could have written it"
        );
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cache");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(&directory).is_err());
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(&root.path().join("cache")).unwrap();
        for index in 0..FILES + 3 {
            let key = format!("{index}");
            cache.write(&key, b"").unwrap();
            let age = std::time::Duration::from_secs((1_000 - index) as u64);
            let file = File::options().write(true).open(cache.path(&key)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        cache.prune();
        assert!(cache.read("2").is_err(), "the oldest are gone");
        assert!(cache.read("3").unwrap().is_some());
    }
}
