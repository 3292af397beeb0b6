//! On what it was measured: figures mean nothing without it.

use std::{fs, process::Command};

use anyhow::{Result, ensure};

use super::{
    Arguments,
    contender::{Contender, Gateway},
};

/// Notes, each with its name.
pub(crate) struct Machine {
    pub(crate) notes: Vec<(String, String)>,
}

impl Machine {
    /// Looks at this machine, and asks each program for its version.
    ///
    /// # Errors
    ///
    /// If processor time cannot be measured here.
    pub(crate) fn look(contenders: &[Contender], arguments: &Arguments) -> Result<Self> {
        ensure!(
            fs::exists("/proc/self/task").unwrap_or(false),
            "processor time is read from Linux's /proc, which is not here"
        );
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut notes = vec![
            ("date", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
            ("commit", commit()),
            ("processor", format!("{} × {}", processors, processor())),
            ("kernel", output("uname", &["-srm"])),
            ("compiler", output("rustc", &["--version"])),
            ("build", build(arguments)),
        ];
        for gateway in Gateway::ALL {
            let of = |contender: &&Contender| contender.gateway == gateway;
            let version = contenders.iter().find(of).map(version);
            notes.extend(version.map(|version| (gateway.name(), version)));
        }
        Ok(Self::from_notes(notes))
    }

    /// These notes, but for those that say nothing.
    pub(crate) fn from_notes(notes: Vec<(&str, String)>) -> Self {
        let notes = notes.into_iter().filter(|(_, note)| !note.is_empty());
        Self {
            notes: notes.map(|(name, note)| (name.to_owned(), note)).collect(),
        }
    }
}

fn build(arguments: &Arguments) -> String {
    match &arguments.gateway {
        Some(_) => "a gateway that was built before".to_owned(),
        None => format!("cargo profile {}", arguments.profile),
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

fn version(contender: &Contender) -> String {
    let flag = match contender.gateway {
        Gateway::Portcullis | Gateway::Envoy => "--version",
        Gateway::Nginx | Gateway::HaProxy => "-v",
    };
    let program = contender.program.to_string_lossy();
    // Some say first who they are, which is known, or where, which is nobody's business.
    let line = output(&program, &[flag]).replace(&*program, "");
    let words = line.split_whitespace();
    let words: Vec<_> = words.filter(|word| *word != "version:").collect();
    words.join(" ")
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
