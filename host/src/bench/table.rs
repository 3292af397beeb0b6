//! Shows what was found out to people.

use std::fmt::{self, Formatter};

use crate::plugin::Work;

use super::{
    Place,
    command::OBSERVED,
    compare::{Comparison, Contrast},
    difference::{Difference, Verdict},
    measure::Times,
    report::{Line, Report},
};

/// What is there in place of a figure that there is not.
const NONE: &str = "-";

/// The table of a route's pipeline.
pub(super) fn report(report: &Report, f: &mut Formatter<'_>) -> fmt::Result {
    let Report {
        route,
        request,
        requests,
        ..
    } = report;
    writeln!(f, "route {route}: {request}, {requests} requests\n")?;
    let head = [
        "step",
        "plugin",
        "hook",
        "calls",
        "p50",
        "p99",
        "mean",
        "CPU",
        "instructions",
        "host calls",
        "bytes to host",
        "bytes to plugin",
        "share",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(report.lines.iter().map(line));
    rows.push(whole(report));
    table(&rows, 3, f)?;
    remarks(&report.remarks, f)?;
    writeln!(
        f,
        "\np50, p99, mean: time of one call; each holds one reading of the clock, {:.0} ns, which \
         is not subtracted.\nCPU: processor time of one call, of {} in a row.\ninstructions: \
         WebAssembly instructions as Wasmtime's fuel counts them, and host calls with their bytes: \
         the\n  median of {OBSERVED} requests in a run of their own.\nwhole: by the code that \
         serves, with its own bookkeeping between the calls; without parsing and sending.",
        report.clock, report.block
    )?;
    if report.lines.iter().any(|line| line.per_request) {
        writeln!(
            f,
            "step with *: has an instance for each request, made in the first hook."
        )?;
    }
    build(f)
}

fn build(f: &mut Formatter<'_>) -> fmt::Result {
    match cfg!(debug_assertions) {
        true => write!(
            f,
            "This is a debug build of the gateway: the times are several times those of a release \
             build."
        ),
        false => write!(f, "Times depend on the machine and what else it does."),
    }
}

fn remarks(remarks: &[String], f: &mut Formatter<'_>) -> fmt::Result {
    if !remarks.is_empty() {
        writeln!(f)?;
    }
    remarks
        .iter()
        .try_for_each(|remark| writeln!(f, "{remark}"))
}

fn line(line: &Line) -> Vec<String> {
    let step = match line.row.place {
        Place::Step(number) if line.per_request => format!("{number}*"),
        Place::Step(number) => number.to_string(),
        Place::Balancer => "balancer".into(),
    };
    let mut cells = vec![
        step,
        line.row.plugin.clone(),
        line.row.hook.as_str().to_owned(),
        line.calls.calls.to_string(),
    ];
    cells.extend(times(&line.times));
    cells.extend(work(line.work));
    cells.push(match line.calls.calls {
        0 => NONE.to_owned(),
        _ => format!("{:.1} %", line.share * 100.0),
    });
    cells
}

fn whole(report: &Report) -> Vec<String> {
    let calls = report.whole.wall.count().to_string();
    let mut cells = vec!["whole".to_owned(), String::new(), String::new(), calls];
    cells.extend(times(&report.whole));
    let works = report.lines.iter().filter_map(|line| line.work);
    let sum = works.reduce(|one, other| Work {
        instructions: one.instructions + other.instructions,
        host_calls: one.host_calls + other.host_calls,
        bytes_to_host: one.bytes_to_host + other.bytes_to_host,
        bytes_to_plugin: one.bytes_to_plugin + other.bytes_to_plugin,
    });
    cells.extend(work(sum));
    cells
}

fn times(times: &Times) -> [String; 4] {
    let shown = |nanos: Option<f64>| nanos.map_or(NONE.to_owned(), time);
    [
        shown(times.wall.percentile(50)),
        shown(times.wall.percentile(99)),
        shown(times.wall.mean()),
        shown(times.processor),
    ]
}

fn work(work: Option<Work>) -> [String; 4] {
    let shown = |of: fn(Work) -> u64| work.map_or(NONE.to_owned(), |work| of(work).to_string());
    [
        shown(|work| work.instructions),
        shown(|work| work.host_calls),
        shown(|work| work.bytes_to_host),
        shown(|work| work.bytes_to_plugin),
    ]
}

/// Nanoseconds as people read them.
fn time(nanos: f64) -> String {
    match nanos.abs() {
        ..10_000.0 => format!("{nanos:.0} ns"),
        ..10_000_000.0 => format!("{:.1} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}

/// Columns as wide as they need to be: the first ones to the left, the figures
/// to the right.
fn table(rows: &[Vec<String>], left: usize, f: &mut Formatter<'_>) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut text = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            text.push_str(gap);
            text.push_str(&match column < left {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

/// What two files of a plugin differ in.
pub(super) fn comparison(comparison: &Comparison, f: &mut Formatter<'_>) -> fmt::Result {
    let Comparison {
        route,
        plugin,
        place,
        old,
        new,
        pairs,
        block,
        ..
    } = comparison;
    let place = match place {
        Place::Step(number) => format!("step {number}"),
        Place::Balancer => "balancer".to_owned(),
    };
    writeln!(f, "route {route}, {place} `{plugin}`")?;
    writeln!(f, "old: {}\nnew: {}\n", old.display(), new.display())?;
    let head = [
        "hook",
        "old",
        "new",
        "difference",
        "95 % confidence interval",
        "instructions",
        "host calls",
        "bytes",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(comparison.contrasts.iter().map(contrast));
    table(&rows, 1, f)?;
    writeln!(f)?;
    for contrast in &comparison.contrasts {
        writeln!(f, "{}", verdict(contrast))?;
    }
    remarks(&comparison.remarks, f)?;
    writeln!(
        f,
        "\nold, new: the median call of the median block. Difference: the median of the differences \
         of {pairs} pairs of\n  blocks of {block} requests, old and new in turn, with its confidence \
         interval by order statistics.\nA difference below 2 % is not called one: where code comes \
         to lie in memory makes as much."
    )?;
    build(f)
}

fn contrast(contrast: &Contrast) -> Vec<String> {
    let mut cells = vec![contrast.hook.to_owned()];
    match &contrast.difference {
        None => cells.extend([NONE; 4].map(str::to_owned)),
        Some(difference) => {
            let Difference {
                old, new, interval, ..
            } = difference;
            let both = |nanos: f64| {
                let sign = if nanos > 0.0 { "+" } else { "" };
                format!(
                    "{sign}{} ({sign}{:.1} %)",
                    time(nanos),
                    difference.percent(nanos)
                )
            };
            cells.extend([
                time(*old),
                time(*new),
                both(interval.median),
                format!("{} to {}", both(interval.low), both(interval.high)),
            ]);
        }
    }
    let change = |of: fn(Work) -> u64| match (contrast.old, contrast.new) {
        (Some(old), Some(new)) => format!("{} → {}", of(old), of(new)),
        _ => NONE.to_owned(),
    };
    cells.extend([
        change(|work| work.instructions),
        change(|work| work.host_calls),
        change(|work| work.bytes_to_host + work.bytes_to_plugin),
    ]);
    cells
}

fn verdict(contrast: &Contrast) -> String {
    let hook = contrast.hook;
    match &contrast.difference {
        None => format!("{hook}: not called with both files"),
        Some(Difference { verdict, .. }) => match verdict {
            Verdict::NoDifference => format!("{hook}: {}", verdict.as_str()),
            _ => format!("{hook}: the new file is {}", verdict.as_str()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_people_read() {
        for (nanos, expected) in [
            (0.0, "0 ns"),
            (312.4, "312 ns"),
            (-312.4, "-312 ns"),
            (9_999.0, "9999 ns"),
            (12_345.0, "12.3 µs"),
            (12_345_678.0, "12.3 ms"),
        ] {
            assert_eq!(time(nanos), expected);
        }
    }
}
