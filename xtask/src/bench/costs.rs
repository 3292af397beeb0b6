//! `cargo xtask bench`: runs the criterion benchmarks, and writes what they found
//! as a table and as JSON, with notes of the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::machine::Machine;
use crate::{
    plugins, release,
    workspace::{self, cargo, succeed},
};

/// What is run, and where the results go.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only benchmarks whose name has this in it
    only: Option<String>,
    /// Builds guided by the profile of the last `cargo xtask release`
    #[arg(long)]
    guided: bool,
    /// Where the results are written [default: bench in the target folder]
    #[arg(long)]
    out: Option<PathBuf>,
    /// What the files of the results are called
    #[arg(long, default_value = "costs")]
    name: String,
}

/// What one benchmark found: nanoseconds per turn.
#[derive(Debug, Clone, PartialEq)]
struct Cost {
    name: String,
    median: f64,
    low: f64,
    high: f64,
    /// Of the quickest of all samples: what else the machine did is least in it.
    least: f64,
}

/// Builds, runs, writes.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    plugins::run()?;
    let begun = SystemTime::now();
    let mut bench = cargo(&["bench", "--workspace", "--bench", "costs"]);
    if arguments.guided {
        release::guide(&mut bench)?;
    }
    succeed(bench.arg("--").args(&arguments.only))?;
    let mut costs = Vec::new();
    collect(&workspace::target().join("criterion"), begun, &mut costs)?;
    costs.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!costs.is_empty(), "no benchmark has this in its name");
    write(arguments, &costs)
}

/// Finds what criterion has written since the run began, in folders of folders.
fn collect(folder: &Path, begun: SystemTime, costs: &mut Vec<Cost>) -> Result<()> {
    let estimates = folder.join("new/estimates.json");
    if estimates.exists() {
        if fs::metadata(&estimates)?.modified()? >= begun {
            let benchmark = read(&folder.join("new/benchmark.json"))?;
            let sample = read(&folder.join("new/sample.json"))?;
            let cost = cost(&benchmark, &read(&estimates)?, &sample);
            costs.push(cost.with_context(|| format!("{} is odd", estimates.display()))?);
        }
        return Ok(());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()));
    for entry in entries? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, begun, costs)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn cost(benchmark: &Value, estimates: &Value, sample: &Value) -> Option<Cost> {
    let median = &estimates["median"];
    let interval = &median["confidence_interval"];
    Some(Cost {
        name: benchmark["full_id"].as_str()?.to_owned(),
        median: median["point_estimate"].as_f64()?,
        low: interval["lower_bound"].as_f64()?,
        high: interval["upper_bound"].as_f64()?,
        least: least(sample)?,
    })
}

/// Each sample is of some turns, and took some nanoseconds for all of them.
fn least(sample: &Value) -> Option<f64> {
    let turns = sample["iters"].as_array()?.iter();
    let times = sample["times"].as_array()?.iter();
    let each = turns
        .zip(times)
        .filter_map(|(turns, time)| Some(time.as_f64()? / turns.as_f64()?));
    each.min_by(f64::total_cmp)
}

fn write(arguments: &Arguments, costs: &[Cost]) -> Result<()> {
    let folder = arguments.out.clone();
    let folder = folder.unwrap_or_else(|| workspace::target().join("bench"));
    fs::create_dir_all(&folder)?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let machine = Machine::here(vec![("command", format!("cargo xtask {command}"))]);
    let table = table(&machine, costs);
    println!("\n{table}");
    for (extension, text) in [("md", table), ("json", record(&machine, costs))] {
        let path = folder.join(format!("{}.{extension}", arguments.name));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
    }
    Ok(())
}

fn table(machine: &Machine, costs: &[Cost]) -> String {
    let mut text = format!("# What each thing costs\n\n{}", machine.list());
    text += "\n| | quickest sample | median | its 95 % confidence |\n|---|---:|---:|---|\n";
    for cost in costs {
        let times = [cost.least, cost.median, cost.low, cost.high];
        let [least, median, low, high] = times.map(time);
        let name = &cost.name;
        text += &format!("| {name} | {least} | {median} | {low} to {high} |\n");
    }
    text + "\nOf 100 samples of each, and of 10 of what is loaded. What else the machine does makes samples slower and never \
            quicker, so on a shared machine the quickest is the one to compare.\n"
}

/// Three digits that count, and a unit.
fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        ..1e3 => (nanoseconds, "ns"),
        ..1e6 => (nanoseconds / 1e3, "µs"),
        ..1e9 => (nanoseconds / 1e6, "ms"),
        _ => (nanoseconds / 1e9, "s"),
    };
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

fn record(machine: &Machine, costs: &[Cost]) -> String {
    let costs: serde_json::Map<_, _> = (costs.iter())
        .map(|cost| {
            let found = json!({
                "least_ns": cost.least, "median_ns": cost.median,
                "low_ns": cost.low, "high_ns": cost.high,
            });
            (cost.name.clone(), found)
        })
        .collect();
    format!(
        "{:#}\n",
        json!({ "machine": machine.json(), "costs": costs })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (nanoseconds, expected) in [
            (1.234, "1.23 ns"),
            (99.96, "100.0 ns"),
            (350.4, "350 ns"),
            (17_250.0, "17.2 µs"),
            (2_000_000.0, "2.00 ms"),
            (3.4e9, "3.40 s"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
    }

    #[test]
    fn what_criterion_writes_is_found_unless_it_is_old() {
        let folder = std::env::temp_dir().join(format!("costs-{}", std::process::id()));
        let new = folder.join("call/empty/new");
        fs::create_dir_all(&new).unwrap();
        let estimates = json!({ "median": {
            "point_estimate": 2.0,
            "confidence_interval": { "lower_bound": 1.0, "upper_bound": 3.0 },
        } });
        fs::write(new.join("benchmark.json"), r#"{ "full_id": "call/empty" }"#).unwrap();
        fs::write(new.join("estimates.json"), estimates.to_string()).unwrap();
        let sample = json!({ "iters": [1.0, 2.0, 4.0], "times": [9.0, 3.0, 10.0] });
        fs::write(new.join("sample.json"), sample.to_string()).unwrap();
        let since = |begun| {
            let mut costs = Vec::new();
            collect(&folder, begun, &mut costs).unwrap();
            costs
        };
        let expected = Cost {
            name: "call/empty".to_owned(),
            median: 2.0,
            low: 1.0,
            high: 3.0,
            least: 1.5,
        };
        assert_eq!(since(SystemTime::UNIX_EPOCH), [expected]);
        let later = SystemTime::now() + std::time::Duration::from_secs(3_600);
        assert_eq!(since(later), []);
        fs::remove_dir_all(folder).unwrap();
    }
}
