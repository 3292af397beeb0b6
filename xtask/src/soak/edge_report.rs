//! What `soak edge` says: tables, a record, and the bounds.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    arguments::Edge,
    edge::{Bomb, Flood, Outcome, Stalled},
    hostile_report::Results,
    report::{self, Bound},
    stops::quantile,
};
use crate::bench::load::tool::Counted;

/// What a connection that stalls may hold, in bytes.
const BYTES_EACH: f64 = 16.0 * 1024.0;
/// When it has to be closed, in seconds: the deadline and one more.
const ENDED_AFTER: f64 = 11.0;
/// Bytes held per byte sent.
const HELD: f64 = 10.0;
/// How much longer a bystander may take under a flood: this part of what it took,
/// or this many microseconds, whichever is more.
const LONGER: f64 = 1.10;
const LONGER_US: f64 = 1_000.0;

/// Makes it of what was measured.
pub(crate) fn results(arguments: &Edge, outcome: &Outcome) -> Results {
    let mut bounds = stalled_bounds(&outcome.stalled);
    bounds.push(bomb_bound(&outcome.bomb));
    bounds.extend(outcome.floods.iter().flat_map(flood_bounds));
    let (notes, machine) = report::machine();
    let table = format!(
        "# Clients that do their worst\n\n{}{}{}\n## Bounds\n\n{}\n{notes}",
        stalled_text(&outcome.stalled),
        bomb_text(&outcome.bomb),
        floods_table(&outcome.floods),
        report::list(&bounds),
    );
    let record = json!({
        "machine": machine,
        "rate": arguments.common.rate,
        "workers": arguments.common.workers,
        "stalled": {
            "connections": outcome.stalled.connections,
            "bytes_each": outcome.stalled.bytes_each,
            "ended_after_s": quantile(&outcome.stalled.ended_after, 1.0),
            "left_open": outcome.stalled.left_open,
            "bystander": counted(&outcome.stalled.bystander),
        },
        "bomb": { "sent": outcome.bomb.sent, "held": outcome.bomb.held },
        "floods": outcome.floods.iter().map(flood_record).collect::<Vec<_>>(),
        "bounds": report::record(&bounds),
    });
    Results {
        table,
        record: format!("{record:#}\n"),
        bounds,
    }
}

fn stalled_bounds(stalled: &Stalled) -> Vec<Bound> {
    let last = quantile(&stalled.ended_after, 1.0);
    let failed = stalled.bystander.failed;
    vec![
        Bound {
            what: format!(
                "a connection that stalls holds {:.0} bytes, of {} at once; the limit is {BYTES_EACH:.0}",
                stalled.bytes_each, stalled.connections
            ),
            holds: stalled.bytes_each <= BYTES_EACH,
        },
        Bound {
            what: format!(
                "the last was closed after {last:.2} s, {} were left open; the limit is {ENDED_AFTER:.0} s",
                stalled.left_open
            ),
            holds: last <= ENDED_AFTER && stalled.left_open == 0,
        },
        Bound {
            what: format!("{failed} requests of the bystander failed, none may"),
            holds: failed == 0,
        },
    ]
}

fn ratio(bomb: &Bomb) -> f64 {
    bomb.held / bomb.sent as f64
}

fn bomb_bound(bomb: &Bomb) -> Bound {
    Bound {
        what: format!(
            "{:.1} bytes are held per byte sent; the limit is {HELD:.0}",
            ratio(bomb)
        ),
        holds: ratio(bomb) <= HELD,
    }
}

fn flood_bounds(flood: &Flood) -> [Bound; 2] {
    let (without, with) = (flood.without.p99_us, flood.with.p99_us);
    let limit = (without * LONGER).max(without + LONGER_US);
    let (name, failed) = (flood.name, flood.with.failed);
    [
        Bound {
            what: format!("{name}: {failed} requests of the bystander failed, none may"),
            holds: failed == 0,
        },
        Bound {
            what: format!(
                "{name}: its p99 is {with:.0} µs, {without:.0} µs without; the limit is {limit:.0} µs"
            ),
            // What is no number is no success.
            holds: with <= limit,
        },
    ]
}

fn stalled_text(stalled: &Stalled) -> String {
    let [half, all] = [0.5, 1.0].map(|share| quantile(&stalled.ended_after, share));
    format!(
        "{} connections stalled at once, in six ways: {:.0} bytes each; closed after {half:.2} s at p50, \
         {all:.2} s at most. The bystander had {} answers and {} failures, p99 {:.0} µs.\n\n",
        stalled.connections,
        stalled.bytes_each,
        stalled.bystander.done,
        stalled.bystander.failed,
        stalled.bystander.p99_us,
    )
}

fn bomb_text(bomb: &Bomb) -> String {
    format!(
        "Requests of 400 fields of one byte each, 200 on a connection without a window: {} bytes sent, \
         {:.0} held, {:.1} per byte.\n\n",
        bomb.sent,
        bomb.held,
        ratio(bomb),
    )
}

fn floods_table(floods: &[Flood]) -> String {
    let mut table = "| flood | connections | MiB sent | bystander's requests | failed | p99 without | p99 with |\n\
         |---|---|---|---|---|---|---|\n"
        .to_owned();
    for flood in floods {
        let _ = writeln!(
            table,
            "| {} | {} | {:.1} | {} | {} | {:.0} | {:.0} |",
            flood.name,
            flood.connections,
            flood.bytes as f64 / f64::from(1 << 20),
            flood.with.done,
            flood.with.failed,
            flood.without.p99_us,
            flood.with.p99_us,
        );
    }
    table
}

fn flood_record(flood: &Flood) -> Value {
    json!({
        "flood": flood.name,
        "connections": flood.connections,
        "bytes": flood.bytes,
        "without": counted(&flood.without),
        "with": counted(&flood.with),
    })
}

fn counted(of: &Counted) -> Value {
    json!({ "done": of.done, "failed": of.failed, "p50_us": of.p50_us, "p99_us": of.p99_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stalled(bytes_each: f64, last: f64, left_open: usize, failed: u64) -> Stalled {
        Stalled {
            connections: 10,
            bytes_each,
            ended_after: vec![10.0, last],
            left_open,
            bystander: Counted {
                failed,
                ..Counted::default()
            },
        }
    }

    #[test]
    fn each_bound_is_broken_by_what_it_is_for() {
        let holds = |stalled: Stalled| -> Vec<bool> {
            let bounds = stalled_bounds(&stalled);
            bounds.iter().map(|bound| bound.holds).collect()
        };
        assert_eq!(holds(stalled(16_384.0, 11.0, 0, 0)), [true, true, true]);
        assert_eq!(holds(stalled(16_385.0, 11.0, 0, 0)), [false, true, true]);
        assert_eq!(holds(stalled(1.0, 11.1, 0, 0)), [true, false, true]);
        assert_eq!(holds(stalled(1.0, 11.0, 1, 0)), [true, false, true]);
        assert_eq!(holds(stalled(1.0, 11.0, 0, 1)), [true, true, false]);
        let bomb = |held| Bomb { sent: 100, held };
        assert!(bomb_bound(&bomb(1_000.0)).holds && !bomb_bound(&bomb(1_001.0)).holds);
    }
}
