//! Reads a file and takes it through all stages.

use std::{
    cell::RefCell,
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{
    Config, Diagnostic, Diagnostics, Position,
    interpolate::{Environment, interpolate},
    json,
    node::{Node, Value, drop_duplicates},
    reader::Item,
    root::config,
    size::{self, MIB},
    toml, yaml,
};

/// The largest configuration file.
const LARGEST: u64 = 4 * MIB;

/// What a file says, as far as it can be read, and all that is wrong with it.
pub struct Reading {
    /// The configuration, where mistakes are in it with defaults in place of
    /// what they are in: good for finding more mistakes, never for serving.
    /// None if so much is wrong that looking further would only mislead.
    pub config: Option<Config>,
    /// The mistakes.
    pub mistakes: Diagnostics,
}

impl Reading {
    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    ///
    /// All mistakes.
    pub fn checked(self) -> Result<Config, Diagnostics> {
        match self.config {
            Some(config) => self.mistakes.or(config),
            // A reader gives nothing only after noting why.
            None => Err(self.mistakes),
        }
    }
}

/// Reads and checks a configuration file: YAML (`.yaml`, `.yml`), TOML
/// (`.toml`) or JSON (`.json`). `env` looks up a variable of the environment.
///
/// Blocks: it reads a file, which must be at most 4 MiB. Other files that the
/// configuration names (plugins) are not looked at.
///
/// Finds all mistakes, but that a mistake against the format's syntax hides
/// what comes after it.
pub fn read(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Reading {
    match text(path) {
        Ok(text) => reading(path, &text, env),
        Err(mistake) => single(path, mistake),
    }
}

/// [`read`], for those who have no use for a configuration with mistakes.
///
/// # Errors
///
/// All mistakes.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Diagnostics> {
    read(path, env).checked()
}

/// The same for a text; `path` says the format, and what relative paths in it
/// are relative to.
///
/// # Errors
///
/// As for [`load`].
pub fn parse(
    path: &Path,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Diagnostics> {
    reading(path, text, env).checked()
}

fn reading(path: &Path, text: &str, env: Environment<'_>) -> Reading {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match tree(path, text) {
        Ok(node) => check(path, node, env),
        Err(mistake) => single(path, mistake),
    }
}

fn single(path: &Path, mistake: Diagnostic) -> Reading {
    let mut mistakes = Diagnostics::new(path);
    mistakes.push(mistake);
    Reading {
        config: None,
        mistakes,
    }
}

fn check(path: &Path, mut node: Node, env: Environment<'_>) -> Reading {
    let mut mistakes = Diagnostics::new(path);
    drop_duplicates(&mut node, "", &mut mistakes);
    interpolate(&mut node, "", env, &mut mistakes);
    let mistakes = RefCell::new(mistakes);
    Reading {
        config: config(&Item::root(&node, &mistakes), path, &mistakes),
        mistakes: mistakes.into_inner(),
    }
}

fn tree(path: &Path, text: &str) -> Result<Node, Diagnostic> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let read = match extension.to_ascii_lowercase().as_str() {
        "yaml" | "yml" => yaml::read,
        "toml" => toml::read,
        "json" => json::read,
        _ => {
            return Err(whole_file("the file's name does not say its format")
                .hint("name it `.yaml`, `.yml`, `.toml` or `.json`"));
        }
    };
    if text.trim().is_empty() {
        return Err(empty());
    }
    match read(text)? {
        Node {
            value: Value::Null, ..
        } => Err(empty()),
        node => Ok(node),
    }
}

fn whole_file(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Position::START, "", message)
}

fn empty() -> Diagnostic {
    whole_file("the file is empty")
        .hint("it needs at least `listeners`: a list of `address: 127.0.0.1:8080`")
}

fn text(path: &Path) -> Result<String, Diagnostic> {
    let bytes = read_bytes(path).map_err(|error| {
        whole_file(format!("cannot be read: {error}")).hint("is the path right?")
    })?;
    if bytes.len() as u64 > LARGEST {
        let hint = format!("at most {}", size::shown(LARGEST));
        return Err(whole_file("the file is too large").hint(hint));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let at = super::position::LineIndex::new(&before).position(valid);
        Diagnostic::new(at, "", "not UTF-8").hint("save the file as UTF-8")
    })
}

/// One byte more than allowed at most: enough to tell, whatever kind of file it is.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory",
        ));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
