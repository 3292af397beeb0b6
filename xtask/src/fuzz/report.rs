//! The table of what was fuzzed: the last run of each target without a finding.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::heard::Heard;
use crate::bench::machine::Machine;

/// Takes a run into the record, and writes that and the table.
pub(super) fn write(folder: &Path, name: &str, heard: &Heard) -> Result<()> {
    let (record, table) = (folder.join("fuzz.json"), folder.join("fuzz.md"));
    let before = fs::read_to_string(&record).unwrap_or_default();
    let mut runs: Map<String, Value> = serde_json::from_str(&before).unwrap_or_default();
    runs.insert(name.to_owned(), row(heard, &Machine::here(Vec::new())));
    runs.sort_keys();
    for (path, text) in [
        (&table, shown(&runs)),
        (&record, format!("{:#}\n", Value::from(runs))),
    ] {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn row(heard: &Heard, machine: &Machine) -> Value {
    json!({
        "seconds": heard.seconds,
        "executions": heard.executions,
        "reached": heard.reached,
        "edges": heard.edges,
        "inputs": heard.inputs,
        "slowest_s": heard.slowest,
        "machine": machine.json(),
    })
}

fn shown(runs: &Map<String, Value>) -> String {
    let mut table = "# Fuzzing\n\n\
        The last run of each target of `cargo xtask fuzz` that was without a finding. Edges are those of the control flow, in \
        all that is compiled into a target, whether it can be reached or not.\n\n\
        | target | date | commit | seconds | executions | edges reached | of | inputs kept | slowest input |\n\
        |---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (name, run) in runs {
        let of = |field: &str| run[field].as_u64().unwrap_or_default();
        let note = |field: &str| run["machine"][field].as_str().unwrap_or_default();
        let slowest = match of("slowest_s") {
            0 => "below 1 s".to_owned(),
            seconds => format!("{seconds} s"),
        };
        // Writing to a text does not fail.
        let _ = writeln!(
            table,
            "| `{name}` | {} | {} | {} | {} | {} | {} | {} | {slowest} |",
            note("date"),
            note("commit"),
            of("seconds"),
            of("executions"),
            of("reached"),
            of("edges"),
            of("inputs"),
        );
    }
    let last = runs.values().next_back();
    let machine =
        |field: &str| last.map_or("", |run| run["machine"][field].as_str().unwrap_or_default());
    for field in ["processor", "kernel", "compiler"] {
        let _ = write!(table, "\n- {field}: {}", machine(field));
    }
    table.push('\n');
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line() {
        let heard = Heard {
            seconds: 600,
            executions: 5,
            ..Heard::default()
        };
        let machine = Machine::from_notes(vec![("date", "today".into()), ("kernel", "k".into())]);
        let runs = Map::from_iter([("path".to_owned(), row(&heard, &machine))]);
        let text = shown(&runs);
        assert!(
            text.contains("| `path` | today |  | 600 | 5 | 0 | 0 | 0 | below 1 s |\n"),
            "{text}"
        );
        assert!(text.contains("\n- kernel: k\n"), "{text}");
    }
}
