//! `portcullis plugin inspect` and `embed`: what a plugin file is, for people,
//! and writing into it what it says of itself.

use std::{fmt, io::Write, path::Path, sync::Arc};

use crate::plugin::{self, Compiler, DescribedBy, LARGEST_FILE, Plugin, Runtime, RuntimeOptions};

/// What a plugin file is; `Display` shows it.
pub struct Description(Arc<Plugin>);

/// Loads a plugin file and describes it. A file that carries its description is
/// compiled, but nothing of it is run.
///
/// # Errors
///
/// A text that says why the file is no plugin.
pub fn plugin(file: &Path, compiler: Compiler) -> Result<Description, String> {
    let (name, bytes) = read(file)?;
    runtime(compiler)?
        .load(&name, &bytes)
        .map(Description)
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// Runs a plugin once to describe itself, and writes its file anew with the
/// description inside: to `out`, or in place. Says in a line what it did. The
/// file is replaced in one step.
///
/// # Errors
///
/// A text that says why the file is no plugin, says nothing of itself, or cannot
/// be written.
pub fn embed(file: &Path, out: Option<&Path>, compiler: Compiler) -> Result<String, String> {
    let shown = file.display();
    let (name, bytes) = read(file)?;
    let described = plugin::describe(&runtime(compiler)?, &name, &bytes)
        .map_err(|error| format!("{shown}: {error}"))?
        .ok_or_else(|| format!("{shown}: says nothing of itself: it exports no `metadata`"))?;
    let to = out.unwrap_or(file);
    if std::fs::read(to).is_ok_and(|present| present == described) {
        return Ok(format!("{}: unchanged", to.display()));
    }
    replace(to, &described).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(format!("{}: describes itself", to.display()))
}

fn read(file: &Path) -> Result<(String, Vec<u8>), String> {
    let shown = file.display();
    let name = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| format!("{shown}: not a name for a plugin"))?;
    let bytes =
        plugin::read(file, LARGEST_FILE as u64).map_err(|error| format!("{shown}: {error}"))?;
    Ok((name.to_owned(), bytes))
}

fn runtime(compiler: Compiler) -> Result<Runtime, String> {
    Runtime::new(RuntimeOptions {
        compiler,
        ..RuntimeOptions::default()
    })
    .map_err(|error| error.to_string())
}

/// A new file beside it, then its name: who watches never sees half of it.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mode = match std::fs::metadata(file) {
        Ok(present) => present.permissions(),
        Err(_) => std::os::unix::fs::PermissionsExt::from_mode(0o644),
    };
    let mut new = tempfile::Builder::new()
        .prefix(".")
        .tempfile_in(directory)?;
    new.write_all(bytes)?;
    new.as_file().set_permissions(mode)?;
    new.persist(file)?;
    Ok(())
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = &self.0;
        let description = plugin.description();
        writeln!(f, "name:     {}", plugin.name())?;
        writeln!(f, "version:  {}", or_dash(&description.version))?;
        writeln!(f, "summary:  {}", or_dash(&description.summary))?;
        writeln!(f, "said by:  {}", described_by(plugin.described_by()))?;
        writeln!(f, "size:     {} bytes", plugin.size())?;
        writeln!(f, "sha256:   {}", plugin.hash())?;
        writeln!(f, "exports:  {}", plugin.hooks().names().join(", "))?;
        writeln!(f, "imports:")?;
        for import in plugin.imports() {
            writeln!(f, "  {import}")?;
        }
        writeln!(f, "wants:    {}", wants(plugin))?;
        match &description.config_schema {
            None => write!(f, "config:   any (the plugin has no schema)"),
            Some(schema) => write!(f, "config schema:\n{}", pretty(schema)),
        }
    }
}

fn described_by(who: DescribedBy) -> &'static str {
    match who {
        DescribedBy::Section => "its file; nothing of it was run",
        DescribedBy::Export => "itself; it was run for this",
        DescribedBy::Nobody => "nobody",
    }
}

/// What it has to be granted, and how where that does not go without saying.
fn wants(plugin: &Plugin) -> String {
    let capabilities = plugin.capabilities();
    let shown: Vec<String> = (capabilities.iter())
        .map(|capability| {
            let (name, does_without) = (capability.name(), plugin.does_without(*capability));
            match capability.by_default() {
                true => name.to_owned(),
                false if does_without => {
                    format!("{name} (if a step says `allow: {{ {name}: true }}`)")
                }
                false => format!("{name} (a step has to say `allow: {{ {name}: true }}`)"),
            }
        })
        .collect();
    or_dash(&shown.join(", ")).to_owned()
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn pretty(schema: &str) -> String {
    serde_json::from_str::<serde_json::Value>(schema)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| schema.to_owned())
}
