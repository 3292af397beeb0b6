//! What `soak bodies` writes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    arguments::Bodies,
    bodies::{Giant, Passed, ROUTES, Turn},
    report::{self, Bound},
};
use crate::bench::load::statistics::median;

/// What memory may grow by while a body of any length passes, in MiB.
const GROWTH: f64 = 16.0;
/// The share of its throughput that is left when a filter is shown every chunk.
const SHARE_OF_CHUNKS: f64 = 0.70;
/// How much more processor time a body may take that nobody looks at.
const MORE_FOR_HEADS: f64 = 1.05;

/// Everything that is written, and whether it is good.
pub(crate) struct Results {
    pub(crate) table: String,
    pub(crate) record: String,
    pub(crate) bounds: Vec<Bound>,
}

pub(crate) fn results(arguments: &Bodies, giants: &[Giant], turns: &[Turn]) -> Results {
    let mut bounds: Vec<Bound> = giants.iter().map(growth).collect();
    bounds.extend(comparisons(turns));
    let (machine_lines, machine) = report::machine();
    let table = format!(
        "# Large bodies through filters\n\n{}\n{}\n## Bounds\n\n{}\n{machine_lines}",
        large(arguments, giants),
        compared(turns),
        report::list(&bounds),
    );
    let record = json!({
        "mebibytes": arguments.mebibytes,
        "giants": giants.iter().map(record).collect::<Vec<_>>(),
        "turns": turns.iter().map(record_of_turn).collect::<Vec<_>>(),
        "bounds": report::record(&bounds),
        "machine": machine,
    });
    Results {
        table,
        record: format!("{record:#}\n"),
        bounds,
    }
}

fn growth(giant: &Giant) -> Bound {
    let grown = giant.memory[1] - giant.memory[0];
    Bound {
        what: format!(
            "{}: memory grew by {grown:.1} MiB; the limit is {GROWTH:.0} MiB",
            giant.name
        ),
        holds: grown <= GROWTH,
    }
}

/// By medians of ratios within a turn.
fn ratio(turns: &[Turn], route: usize, figure: fn(&Passed) -> f64) -> f64 {
    let ratios = turns.iter();
    let ratios = ratios.map(|turn| figure(&turn[route]) / figure(&turn[0]));
    median(ratios).unwrap_or(f64::NAN)
}

fn comparisons(turns: &[Turn]) -> [Bound; 2] {
    let heads = ratio(turns, 1, |passed| passed.cpu_us);
    let chunks = ratio(turns, 2, |passed| passed.counted.per_second);
    [
        Bound {
            what: format!(
                "five filters of heads: 1 MiB takes {heads:.3} times the gateway's processor time \
                 of none; the limit is {MORE_FOR_HEADS}"
            ),
            holds: heads <= MORE_FOR_HEADS,
        },
        Bound {
            what: format!(
                "a filter that is shown every chunk: {:.0} % of the throughput of none; at least \
                 {:.0} % are wanted",
                chunks * 100.0,
                SHARE_OF_CHUNKS * 100.0
            ),
            holds: chunks >= SHARE_OF_CHUNKS,
        },
    ]
}

fn large(arguments: &Bodies, giants: &[Giant]) -> String {
    let mebibytes = arguments.mebibytes;
    let mut table = format!(
        "One body of {mebibytes} MiB, lines of JSON, every byte of what comes compared.\n\n\
         | filter | s | MiB/s | MiB before | at most |\n|---|---:|---:|---:|---:|\n"
    );
    for giant in giants {
        let (seconds, [before, most]) = (giant.took.as_secs_f64(), giant.memory);
        let _ = writeln!(
            table,
            "| {} | {seconds:.1} | {:.0} | {before:.1} | {most:.1} |",
            giant.name,
            mebibytes as f64 / seconds
        );
    }
    table
}

fn compared(turns: &[Turn]) -> String {
    let mut table = format!(
        "Responses of 1 MiB, medians over {} turns; client, gateway and origin share the machine.\n\n\
         | filters | responses/s | gateway's processor time each, µs |\n|---|---:|---:|\n",
        turns.len()
    );
    let names = [
        "none",
        "five that set headers",
        "one that is shown every chunk",
    ];
    for (route, name) in names.iter().enumerate() {
        let figure = |figure: fn(&Passed) -> f64| {
            median(turns.iter().map(|turn| figure(&turn[route]))).unwrap_or(f64::NAN)
        };
        let _ = writeln!(
            table,
            "| {name} | {:.0} | {:.0} |",
            figure(|passed| passed.counted.per_second),
            figure(|passed| passed.cpu_us),
        );
    }
    table
}

fn record(giant: &Giant) -> Value {
    json!({
        "filter": giant.name,
        "seconds": giant.took.as_secs_f64(),
        "memory_mib": giant.memory,
    })
}

fn record_of_turn(turn: &Turn) -> Value {
    let routes = turn.iter().zip(ROUTES).map(|(passed, name)| {
        let figures = json!({
            "per_second": passed.counted.per_second,
            "cpu_us": passed.cpu_us,
        });
        (name.to_owned(), figures)
    });
    Value::Object(routes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::tool::Counted;

    #[test]
    fn each_bound_can_break() {
        let turn = |heads, chunks| {
            [(100.0, 50.0), (100.0, heads), (chunks, 50.0)].map(|(per_second, cpu_us)| Passed {
                counted: Counted {
                    per_second,
                    ..Counted::default()
                },
                cpu_us,
            })
        };
        for (heads, chunks, expected) in [
            (52.5, 70.0, [true, true]),
            (52.6, 70.0, [false, true]),
            (52.5, 69.9, [true, false]),
            (f64::NAN, f64::NAN, [false, false]),
        ] {
            let found = comparisons(&[turn(heads, chunks)]).map(|bound| bound.holds);
            assert_eq!(found, expected, "{heads} {chunks}");
        }
        let giant = |most| Giant {
            name: "mask",
            took: std::time::Duration::from_secs(1),
            memory: [20.0, most],
        };
        assert!(growth(&giant(36.0)).holds && !growth(&giant(36.1)).holds);
    }
}
