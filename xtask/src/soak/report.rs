//! What every report has: the machine, the bounds, and files of its own.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{bench::machine::Machine, workspace};

/// Something that has to hold, and whether it did.
pub(crate) struct Bound {
    pub(crate) what: String,
    pub(crate) holds: bool,
}

/// The bounds as a list in Markdown.
pub(crate) fn list(bounds: &[Bound]) -> String {
    let line = |bound: &Bound| {
        let word = if bound.holds { "holds" } else { "**BROKEN**" };
        format!("- {word}: {}\n", bound.what)
    };
    bounds.iter().map(line).collect()
}

/// The bounds for a record.
pub(crate) fn record(bounds: &[Bound]) -> Value {
    let each = bounds.iter();
    each.map(|bound| json!({ "bound": bound.what, "holds": bound.holds }))
        .collect()
}

/// The machine as a list in Markdown, and for a record.
pub(crate) fn machine() -> (String, Map<String, Value>) {
    let Machine { notes } = Machine::here(Vec::new());
    let lines = notes
        .iter()
        .map(|(name, note)| format!("- {name}: {note}\n"));
    let record = notes.iter().map(|(name, note)| (name.clone(), json!(note)));
    (lines.collect(), record.collect())
}

/// Writes files into the folder of results.
pub(crate) fn write(files: &[(&str, &str)]) -> Result<()> {
    let folder = workspace::target().join("soak");
    fs::create_dir_all(&folder)?;
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

/// An error if a bound is broken.
pub(crate) fn judge(bounds: &[Bound]) -> Result<()> {
    match bounds.iter().filter(|bound| !bound.holds).count() {
        0 => Ok(()),
        broken => bail!("{broken} of {} bounds are broken", bounds.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_bound_is_a_failure() {
        let bound = |holds| Bound {
            what: "nothing fails".into(),
            holds,
        };
        assert!(judge(&[bound(true), bound(true)]).is_ok());
        let bounds = [bound(true), bound(false)];
        let error = judge(&bounds).unwrap_err().to_string();
        assert_eq!(error, "1 of 2 bounds are broken");
        assert!(list(&bounds).contains("**BROKEN**: nothing fails"));
    }
}
