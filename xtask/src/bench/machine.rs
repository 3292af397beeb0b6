//! On what it was measured: figures mean nothing without it.

use std::{fs, process::Command};

use serde_json::{Map, Value, json};

/// Notes, each with its name.
pub(crate) struct Machine {
    pub(crate) notes: Vec<(String, String)>,
}

impl Machine {
    /// This machine and its compiler, and what else there is to say.
    pub(crate) fn here(more: Vec<(&str, String)>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut notes = vec![
            ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
            ("commit", commit()),
            ("processor", format!("{} × {}", processors, processor())),
            ("kernel", output("uname", &["-srm"])),
            ("compiler", output("rustc", &["--version"])),
        ];
        notes.extend(more);
        Self::from_notes(notes)
    }

    /// These notes, but for those that say nothing.
    pub(crate) fn from_notes(notes: Vec<(&str, String)>) -> Self {
        let notes = notes.into_iter().filter(|(_, note)| !note.is_empty());
        Self {
            notes: notes.map(|(name, note)| (name.to_owned(), note)).collect(),
        }
    }

    /// As a list in Markdown.
    pub(crate) fn list(&self) -> String {
        let notes = self.notes.iter();
        notes
            .map(|(name, note)| format!("- {name}: {note}\n"))
            .collect()
    }

    /// As an object.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let notes = self.notes.iter();
        notes
            .map(|(name, note)| (name.clone(), json!(note)))
            .collect()
    }
}

fn commit() -> String {
    // Without the lock that others may need, since nothing is to be written.
    output(
        "git",
        &["--no-optional-locks", "describe", "--always", "--dirty"],
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": "));
    model.map_or("a processor", |(_, model)| model).to_owned()
}

/// The first line that a program prints, or nothing.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default().trim().to_owned()
}
