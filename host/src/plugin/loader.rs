//! The plugin directory: which files are plugins, and their bytes.
//!
//! Reads and judges file names; what the bytes are is for `Runtime::load`.
//! Called off the workers, at start and at every change.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The largest file that is a plugin whatever the configuration says, in bytes.
/// Compiled code is larger.
pub const LARGEST_FILE: usize = 1 << 30;

/// Why a file of the plugin directory was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its name cannot be a plugin's.
    #[error("a plugin's file is named by a-z, 0-9, `-` and `_`, and begins with a letter or digit")]
    Name,
    /// A directory, or something stranger.
    #[error("is not a file")]
    NotAFile,
    /// More bytes than a plugin may have.
    #[error("has {size} bytes, the limit is {limit} (`plugins.limits.file_size`)")]
    TooLarge {
        /// What it has.
        size: u64,
        /// What it may have.
        limit: u64,
    },
    /// It changed while it was read.
    #[error("is being written")]
    Changing,
    /// The system's own words.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A directory of `NAME.wasm` files.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    largest: u64,
}

impl Directory {
    /// The directory at a path, which need not exist yet. Files of more than
    /// `largest` bytes are not read.
    pub fn new(path: &Path, largest: usize) -> Self {
        Self {
            path: path.to_owned(),
            largest: largest as u64,
        }
    }

    /// Reads every `NAME.wasm`, ordered by name, one when it is asked for: regular
    /// files and symlinks to such. Hidden files and what editors and copying tools
    /// leave behind have other names and are passed over. A directory that cannot
    /// be read is logged, and has no plugins.
    pub fn scan(&self) -> impl Iterator<Item = (String, Result<Vec<u8>, ReadError>)> {
        let mut names = match self.names() {
            Ok(names) => names,
            Err(error) => {
                let shown = self.path.display();
                tracing::warn!("the plugin directory {shown} cannot be read: {error}");
                Vec::new()
            }
        };
        names.sort();
        let read = move |name: String| {
            let bytes = match valid(&name) {
                true => read(&self.path.join(format!("{name}.wasm")), self.largest),
                false => Err(ReadError::Name),
            };
            (name, bytes)
        };
        names.into_iter().map(read)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let file = entry?.file_name();
            let name = file.to_string_lossy();
            if let Some(name) = name.strip_suffix(".wasm")
                && !name.is_empty()
                && !name.starts_with('.')
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }
}

fn valid(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(word)
        && name
            .bytes()
            .all(|byte| word(byte) || byte == b'-' || byte == b'_')
}

/// Reads a whole plugin file, of one state: one that changes meanwhile is an
/// error. A watcher will notice the change.
///
/// # Errors
///
/// It is no file, is too large, changes, or cannot be read.
pub fn read(path: &Path, largest: u64) -> Result<Vec<u8>, ReadError> {
    // Asked before opening, since opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    if before.len() > largest {
        return Err(ReadError::TooLarge {
            size: before.len(),
            limit: largest,
        });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0));
    Read::take(&mut file, largest + 1).read_to_end(&mut bytes)?;
    let after = file.metadata()?;
    let same = after.len() == before.len() && after.modified()? == before.modified()?;
    match same && bytes.len() as u64 == before.len() {
        true => Ok(bytes),
        false => Err(ReadError::Changing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_files_with_a_plugins_name() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        for file in [
            "b.wasm",
            "a-1_x.wasm",
            ".hidden.wasm",
            "a.wasm~",
            "a.wasm.tmp",
            "notes.txt",
            "Bad Name.wasm",
            ".wasm",
        ] {
            fs::write(path.join(file), file).unwrap();
        }
        fs::create_dir(path.join("directory.wasm")).unwrap();
        std::os::unix::fs::symlink(path.join("b.wasm"), path.join("link.wasm")).unwrap();
        std::os::unix::fs::symlink(path.join("nothing"), path.join("dangling.wasm")).unwrap();

        let found: Vec<(String, Result<String, String>)> = Directory::new(path, 1_000)
            .scan()
            .map(|(name, read)| {
                let read = read.map(|bytes| String::from_utf8(bytes).unwrap());
                (name, read.map_err(|error| error.to_string()))
            })
            .collect();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["Bad Name", "a-1_x", "b", "dangling", "directory", "link"]
        );
        assert!(found[0].1.as_ref().unwrap_err().contains("named by a-z"));
        assert_eq!(found[1].1.as_deref(), Ok("a-1_x.wasm"));
        assert!(found[3].1.as_ref().unwrap_err().contains("cannot be read"));
        assert_eq!(found[4].1.as_ref().unwrap_err(), "is not a file");
        assert_eq!(found[5].1.as_deref(), Ok("b.wasm"));
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let file = File::create(root.path().join("large.wasm")).unwrap();
        file.set_len(1_001).unwrap();
        let read: Vec<_> = Directory::new(root.path(), 1_000).scan().collect();
        assert!(matches!(&read[..], [(_, Err(ReadError::TooLarge { .. }))]));
    }

    #[test]
    fn a_directory_that_is_not_there_has_no_plugins() {
        let directory = Directory::new(Path::new("/nonexistent/plugins"), 1_000);
        assert_eq!(directory.scan().count(), 0);
    }
}
