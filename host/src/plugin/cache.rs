//! Compiled plugins on disk, by the hash of their content and of the engine.
//!
//! Machine code from a file is trusted only if this process's user alone can
//! have written it: the directory is ours and closed to others, the file is
//! ours and has no other name. Against damage it ends with a hash of what is
//! before; one that says who wrote it would need a secret that nobody else of
//! this user can read. Whatever else is found there is compiled anew and
//! written over.
//!
//! The directory is opened once, and everything is done relative to that, so
//! that renaming what leads to it, or putting a symlink there, changes nothing.
//! A file is never written to after it got its name: what is mapped stays as it
//! is. It may be removed; what is mapped stays then too.

use std::{
    ffi::CStr,
    fs::{DirBuilder, File, Metadata},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, statat, unlinkat};
use wasmtime::{Engine, component::Component};
use xxhash_rust::xxh3::Xxh3;

/// What a file ends with, before the hash of the rest.
const MAGIC: &[u8; 16] = b"portcullis code\n";

/// Of the magic bytes and the hash, XXH3 with 128 bits: a start hashes megabytes.
const SEAL: u64 = MAGIC.len() as u64 + 16;

/// Files kept; the longest unused go first.
const FILES: usize = 256;

/// The largest compiled plugin, in bytes.
pub(super) const LARGEST_CODE: u64 = 1 << 30;

/// When a file that was never finished is taken for one that nobody writes.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A directory of compiled plugins.
pub(super) struct Cache {
    directory: OwnedFd,
    owner: u32,
    /// Bytes kept.
    size: u64,
}

impl Cache {
    /// Opens the directory, makes it if it is not there, and refuses one that
    /// others can write to. Keeps up to `size` bytes in it.
    pub(super) fn open(directory: &Path, size: u64) -> io::Result<Self> {
        // Without a slash at its end, which would follow a symlink.
        let path: PathBuf = directory.components().collect();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&path, flags, Mode::empty())?;
        let metadata = File::from(directory.try_clone()?).metadata()?;
        let mut cache = Self {
            directory,
            owner: metadata.uid(),
            size,
        };
        // Who we are is what the system says of a file that we make.
        if metadata.mode() & 0o022 == 0 {
            let owner = cache.draft()?.file.metadata()?.uid();
            cache.owner = owner;
        }
        match private(&metadata, cache.owner) {
            true => Ok(cache),
            false => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it belongs to somebody else, or others can write to it",
            )),
        }
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
        match map(engine, &code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::debug!("a compiled plugin does not fit, compiling it again: {error:#}");
                None
            }
        }
    }

    /// Keeps the compiled form of a key. Failing to is no failure of the
    /// plugin, so it is only logged.
    pub(super) fn store(&self, key: &str, code: impl Read) {
        match self.write(key, code) {
            Ok(()) => self.prune(),
            Err(error) => tracing::warn!("cannot keep a compiled plugin: {error}"),
        }
    }

    /// None if the file is not what we wrote.
    fn read(&self, key: &str) -> io::Result<Option<File>> {
        // Whatever was put there, opening it neither follows nor waits.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.directory, file_name(key), flags, Mode::empty());
        let mut file = match opened {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        let ours = metadata.is_file() && private(&metadata, self.owner) && metadata.nlink() == 1;
        if !ours || metadata.len() > LARGEST_CODE + SEAL || !intact(&mut file, metadata.len())? {
            return Ok(None);
        }
        // Keeps what is in use from being pruned; a failure costs a compilation.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(file))
    }

    /// Whole or not at all: a file of its own, then a new name.
    fn write(&self, key: &str, mut code: impl Read) -> io::Result<()> {
        let mut draft = self.draft()?;
        let mut hash = Xxh3::new();
        let mut part = vec![0; 64 << 10];
        loop {
            let length = code.read(&mut part)?;
            if length == 0 {
                break;
            }
            hash.update(&part[..length]);
            draft.file.write_all(&part[..length])?;
        }
        draft.file.write_all(MAGIC)?;
        draft.file.write_all(&hash.digest128().to_le_bytes())?;
        draft.rename(&file_name(key))
    }

    /// A new file without a name that anybody looks for.
    fn draft(&self) -> io::Result<Draft<'_>> {
        let name = format!("{:016x}.partial", fastrand::u64(..));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Draft {
            cache: self,
            file: file.into(),
            name,
        })
    }

    /// Removes what was not used for longest, and what was never finished.
    fn prune(&self) {
        let Ok(mut files) = self.files() else {
            return;
        };
        // The newest first; what goes beyond is removed.
        files.sort_by_key(|file| std::cmp::Reverse(file.used));
        let (mut count, mut bytes) = (0, 0_u64);
        for file in files {
            let old = file.used.elapsed().is_ok_and(|age| age > ABANDONED);
            let surplus = match file.partial {
                true => old,
                false => {
                    count += 1;
                    bytes = bytes.saturating_add(file.size);
                    count > FILES || bytes > self.size
                }
            };
            if surplus {
                // Another process may have removed it first.
                let _ = unlinkat(&self.directory, &*file.name, AtFlags::empty());
            }
        }
    }

    fn files(&self) -> io::Result<Vec<Entry>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name: &CStr = entry.file_name();
            let partial = name.to_bytes().ends_with(b".partial");
            if !partial && !name.to_bytes().ends_with(b".code") {
                continue;
            }
            let Ok(about) = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let seconds = u64::try_from(about.st_mtime).unwrap_or(0);
            let nanoseconds = u32::try_from(about.st_mtime_nsec).unwrap_or(0);
            files.push(Entry {
                name: name.to_owned(),
                partial,
                used: SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds),
                size: u64::try_from(about.st_size).unwrap_or(0),
            });
        }
        Ok(files)
    }
}

struct Entry {
    name: std::ffi::CString,
    partial: bool,
    used: SystemTime,
    size: u64,
}

/// A file in the making. It is removed when this is dropped before it got its
/// name.
struct Draft<'a> {
    cache: &'a Cache,
    file: File,
    name: String,
}

impl Draft<'_> {
    fn rename(self, name: &str) -> io::Result<()> {
        let directory = &self.cache.directory;
        Ok(renameat(directory, &self.name, directory, name)?)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Fails where it has another name by now.
        let _ = unlinkat(&self.cache.directory, &self.name, AtFlags::empty());
    }
}

fn file_name(key: &str) -> String {
    format!("{key}.code")
}

/// Whether a file of this length ends with the hash of what is before.
fn intact(file: &mut File, length: u64) -> io::Result<bool> {
    let Some(length) = length.checked_sub(SEAL) else {
        return Ok(false);
    };
    let mut hash = Xxh3::new();
    let mut code = Read::take(&mut *file, length);
    let mut part = vec![0; 64 << 10];
    loop {
        match code.read(&mut part)? {
            0 => break,
            length => hash.update(&part[..length]),
        }
    }
    let mut seal = Vec::new();
    Read::take(file, SEAL + 1).read_to_end(&mut seal)?;
    Ok(seal == [&MAGIC[..], &hash.digest128().to_le_bytes()].concat())
}

fn private(metadata: &Metadata, owner: u32) -> bool {
    metadata.uid() == owner && metadata.mode() & 0o022 == 0
}

/// Machine code in a file that is trusted, mapped rather than copied: what is
/// never run never takes memory.
#[expect(
    unsafe_code,
    reason = "machine code is loaded, which no type can check"
)]
pub(super) fn map(engine: &Engine, code: &File) -> wasmtime::Result<Component> {
    // The file that is open, whatever its name stands for by now.
    let path = format!("/proc/self/fd/{}", code.as_fd().as_raw_fd());
    // SAFETY: the file must hold what Wasmtime's compiler gave, and must not
    // change while it is mapped. It is one of two. Either `Cache::read` gave it:
    // then it and its directory are this user's own and closed to others, so
    // that only this program's `Cache::write` can have put it there; it has the
    // hash it was written with, so it is whole; and `write` changes no file that
    // has a name. Or the runtime made it, without any name, for one compiler of
    // its own to write to, which has ended well. Wasmtime itself refuses code of
    // another version or other settings.
    unsafe { Component::deserialize_file(engine, path) }
}

/// A file without a name, in memory, for a compiler to write to.
pub(super) fn memory_file() -> io::Result<File> {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    Ok(rustix::fs::memfd_create("portcullis code", flags)?.into())
}

/// From the beginning, to read what another process has written.
pub(super) fn rewound(mut file: &File) -> io::Result<&File> {
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
