//! `portcullis plugin inspect`: what a plugin file is, for people.

use std::{fmt, path::Path, sync::Arc};

use crate::plugin::{Plugin, Runtime, RuntimeOptions};

/// What a plugin file is; `Display` shows it.
pub struct Description(Arc<Plugin>);

/// Loads a plugin file and describes it.
///
/// # Errors
///
/// A text that says why the file is no plugin.
pub fn plugin(file: &Path) -> Result<Description, String> {
    let shown = file.display();
    let name = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| format!("{shown}: not a name for a plugin"))?;
    let bytes = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
    let runtime = Runtime::new(RuntimeOptions::default()).map_err(|error| error.to_string())?;
    runtime
        .load(name, &bytes)
        .map(Description)
        .map_err(|error| format!("{shown}: {error}"))
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugin = &self.0;
        let description = plugin.description();
        writeln!(f, "name:     {}", plugin.name())?;
        writeln!(f, "version:  {}", or_dash(&description.version))?;
        writeln!(f, "summary:  {}", or_dash(&description.summary))?;
        writeln!(f, "size:     {} bytes", plugin.size())?;
        writeln!(f, "sha256:   {}", plugin.hash())?;
        writeln!(f, "exports:  {}", plugin.hooks().names().join(", "))?;
        writeln!(f, "imports:")?;
        for import in plugin.imports() {
            writeln!(f, "  {import}")?;
        }
        match &description.config_schema {
            None => write!(f, "config:   any (the plugin has no schema)"),
            Some(schema) => write!(f, "config schema:\n{}", pretty(schema)),
        }
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn pretty(schema: &str) -> String {
    serde_json::from_str::<serde_json::Value>(schema)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| schema.to_owned())
}
