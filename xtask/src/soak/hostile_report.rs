//! What `soak hostile` says: a table, a record, and the bounds.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    arguments::Hostile,
    hostile::{BUDGET, Outcome},
    report::{self, Bound},
    stops::quantile,
    turns::{self, Turn, calm, failed},
};
use crate::bench::load::tool::Counted;

/// How much later than its budget a loop may end, in milliseconds.
const LATE_MS: f64 = 10.0;
/// All that is written.
pub(crate) struct Results {
    pub(crate) table: String,
    pub(crate) record: String,
    pub(crate) bounds: Vec<Bound>,
}

/// Makes it of what was measured. `stops` are milliseconds.
pub(crate) fn results(arguments: &Hostile, outcomes: &[Outcome], stops: &[f64]) -> Results {
    let mut bounds: Vec<_> = outcomes.iter().flat_map(bounds).collect();
    bounds.extend((!stops.is_empty()).then(|| stop_bound(stops)));
    let (notes, machine) = report::machine();
    let table = format!(
        "# Hostile plugins on a tenth of the traffic\n\n{}\n{}{}\n## Bounds\n\n{}\n{notes}",
        settings(arguments),
        table(outcomes),
        stop_line(stops),
        report::list(&bounds),
    );
    let record = json!({
        "machine": machine,
        "rate": arguments.common.rate,
        "workers": arguments.common.workers,
        "seconds": arguments.seconds,
        "classes": outcomes.iter().map(record).collect::<Vec<_>>(),
        "stops_ms": stops,
        "bounds": report::record(&bounds),
    });
    Results {
        table,
        record: format!("{record:#}\n"),
        bounds,
    }
}

fn settings(arguments: &Hostile) -> String {
    format!(
        "{} requests per second, {} workers, {}\n\
         Times are of the other routes, medians over those turns, in microseconds; errors are theirs\n\
         too, and everything that is counted is of all turns.\n",
        arguments.common.rate,
        arguments.common.workers,
        turns::note(arguments.seconds, arguments.repeats),
    )
}

fn middle(outcome: &Outcome, figure: impl Fn(&Turn<Counted>) -> f64) -> f64 {
    turns::middle(&outcome.turns, figure)
}

fn bounds(outcome: &Outcome) -> [Bound; 2] {
    let without = middle(outcome, |turn| turn.before.p99_us);
    let with = middle(outcome, |turn| turn.under.p99_us);
    let limit = turns::limit(without);
    let failed = failed(&outcome.turns);
    [
        Bound {
            what: format!(
                "{}: {failed} requests of other routes failed, none may",
                outcome.name
            ),
            holds: failed == 0,
        },
        Bound {
            what: format!(
                "{}: p99 of other routes is {with:.0} µs, {without:.0} µs without; the limit is {limit:.0} µs",
                outcome.name
            ),
            // What is no number is no success.
            holds: with <= limit,
        },
    ]
}

fn stop_bound(stops: &[f64]) -> Bound {
    let (last, limit) = (quantile(stops, 0.999), BUDGET.as_secs_f64() * 1e3 + LATE_MS);
    Bound {
        what: format!(
            "an endless loop ends after {last:.1} ms at p99.9; the limit is {limit:.0} ms"
        ),
        holds: last <= limit,
    }
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table =
        "| class | turns, calm | requests of others | errors | p50 without | p50 with | p99 without | p99 with \
        | hostile requests | not answered 2xx | failed calls | MiB before | after | at most |\n\
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for outcome in outcomes {
        let sum = |figure: fn(&Turn<Counted>) -> u64| outcome.turns.iter().map(figure).sum::<u64>();
        let figure = |figure: fn(&Turn<Counted>) -> f64| middle(outcome, figure);
        let [before, after, peak] = outcome.memory;
        let _ = writeln!(
            table,
            "| {} | {}, {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {before:.1} | {after:.1} | {peak:.1} |",
            outcome.name,
            outcome.turns.len(),
            calm(&outcome.turns).count(),
            sum(|turn| turn.under.done),
            failed(&outcome.turns),
            figure(|turn| turn.before.p50_us),
            figure(|turn| turn.under.p50_us),
            figure(|turn| turn.before.p99_us),
            figure(|turn| turn.under.p99_us),
            sum(|turn| turn.attack.done),
            sum(|turn| turn.attack.failed),
            outcome.failures,
        );
    }
    table
}

fn stop_line(stops: &[f64]) -> String {
    if stops.is_empty() {
        return String::new();
    }
    let [half, most, all] = [0.5, 0.999, 1.0].map(|share| quantile(stops, share));
    format!(
        "\nAn endless loop with a budget of {} ms, of {} that ran: stopped after {half:.1} ms at p50, \
         {most:.1} ms at p99.9, {all:.1} ms at most.\n",
        BUDGET.as_millis(),
        stops.len(),
    )
}

fn record(outcome: &Outcome) -> Value {
    let turns = outcome.turns.iter().map(|turn| {
        json!({
            "without": counted(&turn.before),
            "with": counted(&turn.under),
            "attack": counted(&turn.attack),
        })
    });
    json!({
        "class": outcome.name,
        "turns": turns.collect::<Vec<_>>(),
        "memory_mib": outcome.memory,
        "failed_calls": outcome.failures,
    })
}

fn counted(of: &Counted) -> Value {
    json!({
        "done": of.done, "failed": of.failed,
        "p50_us": of.p50_us, "p99_us": of.p99_us, "p999_us": of.p999_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(p99: [f64; 2], failed: u64) -> Outcome {
        let counted = |p99_us, failed| Counted {
            done: 1_000,
            failed,
            p99_us,
            ..Counted::default()
        };
        let turn = |_| Turn {
            before: counted(p99[0], 0),
            under: counted(p99[1], failed),
            attack: counted(9e9, 7),
        };
        Outcome {
            name: "trap",
            turns: (0..3).map(turn).collect(),
            memory: [1.0, 2.0, 3.0],
            failures: 7.0,
        }
    }

    #[test]
    fn others_may_not_fail_and_take_a_little_longer() {
        for (p99, failed, expected) in [
            ([500.0, 1_500.0], 0, [true, true]),
            ([500.0, 1_501.0], 0, [true, false]),
            ([50_000.0, 55_000.0], 0, [true, true]),
            ([50_000.0, 55_001.0], 0, [true, false]),
            ([500.0, 500.0], 1, [false, true]),
            ([500.0, f64::NAN], 0, [true, false]),
        ] {
            let found = bounds(&outcome(p99, failed)).map(|bound| bound.holds);
            assert_eq!(found, expected, "{p99:?} {failed}");
        }
        assert!(stop_bound(&[50.0, 60.0]).holds && !stop_bound(&[50.0, 60.1]).holds);
    }

    #[test]
    fn the_table_has_a_row_for_each_class() {
        let table = table(&[outcome([500.0, 600.0], 2)]);
        let row =
            "| trap | 3, 3 | 3000 | 6 | 0 | 0 | 500 | 600 | 3000 | 21 | 7 | 1.0 | 2.0 | 3.0 |";
        assert_eq!(table.lines().last(), Some(row));
    }
}
