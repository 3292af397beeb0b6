//! What `soak edge` says: tables, a record, and the bounds.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    arguments::Edge,
    edge::{Bomb, Flood, Outcome, Stalled},
    flooder::{AGAIN, FLOODERS, Sent},
    hostile_report::Results,
    overload::{Overload, TIMES, goodput, unanswered},
    report::{self, Bound},
    stops::quantile,
    turns::{self, Turn, calm, failed},
};
use crate::bench::load::tool::Counted;

/// What a connection that stalls may hold, in bytes.
const BYTES_EACH: f64 = 16.0 * 1024.0;
/// When it has to be closed, in seconds: the deadline and one more.
const ENDED_AFTER: f64 = 11.0;
/// Bytes held per byte sent.
const HELD: f64 = 10.0;
/// What part of the peak has to be answered when three times as much comes.
const GOODPUT: f64 = 0.9;
/// When the rest has to be refused, in microseconds.
const REFUSED_US: f64 = 10_000.0;

/// Makes it of what was measured.
pub(crate) fn results(arguments: &Edge, outcome: &Outcome) -> Results {
    let mut bounds = stalled_bounds(&outcome.stalled);
    bounds.push(bomb_bound(&outcome.bomb));
    bounds.extend(outcome.floods.iter().flat_map(flood_bounds));
    bounds.extend(overload_bounds(&outcome.overload));
    let (notes, machine) = report::machine();
    let table = format!(
        "# Clients that do their worst\n\n{}{}{}{}{}\n## Bounds\n\n{}\n{notes}",
        stalled_text(&outcome.stalled),
        bomb_text(&outcome.bomb),
        settings(arguments),
        floods_table(&outcome.floods),
        overload_text(&outcome.overload),
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
        "seconds": arguments.seconds,
        "floods": outcome.floods.iter().map(flood_record).collect::<Vec<_>>(),
        "overload": outcome.overload.turns.iter().map(overload_record).collect::<Vec<_>>(),
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
    let without = turns::middle(&flood.turns, |turn| turn.before.p99_us);
    let with = turns::middle(&flood.turns, |turn| turn.under.p99_us);
    let limit = turns::limit(without);
    let (name, failed) = (flood.name, failed(&flood.turns));
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

/// Answers per second at the peak and of three times as many requests; the p99 of
/// refusals in microseconds; requests without an answer.
fn overload_figures(overload: &Overload) -> ([f64; 3], u64) {
    let figure = |figure: fn(&Turn<()>) -> f64| turns::middle(&overload.turns, figure);
    let figures = [
        figure(|turn| goodput(&turn.before)),
        figure(|turn| goodput(&turn.under)),
        figure(|turn| turn.under.non2xx_p99_us),
    ];
    let lost = overload.turns.iter().map(|turn| unanswered(&turn.under));
    (figures, lost.sum())
}

fn overload_bounds(overload: &Overload) -> [Bound; 3] {
    let ([peak, good, refused], lost) = overload_figures(overload);
    let share = good / peak;
    [
        Bound {
            what: format!(
                "overload: {:.1} % of the peak are answered, of {TIMES:.0} times as many requests; the limit is {:.0} %",
                share * 100.0,
                GOODPUT * 100.0
            ),
            holds: share >= GOODPUT,
        },
        Bound {
            what: format!(
                "overload: the rest is refused within {:.1} ms at p99; the limit is {:.0} ms",
                refused / 1e3,
                REFUSED_US / 1e3
            ),
            holds: refused <= REFUSED_US,
        },
        Bound {
            what: format!("overload: {lost} requests got no answer, none may"),
            holds: lost == 0,
        },
    ]
}

fn overload_text(overload: &Overload) -> String {
    let ([peak, good, refused], _) = overload_figures(overload);
    let refusals: u64 = overload.turns.iter().map(|turn| turn.under.non2xx).sum();
    format!(
        "\nA service that works on 16 requests at once, 20 ms each, behind `limits.requests: 16`: {peak:.0} answers \
         per second at the peak; of {TIMES:.0} times as many requests {good:.0} were answered in a second and the rest \
         refused with 503 ({refusals} in all turns), p99 {:.1} ms. Medians over {} calm turns of {}.\n",
        refused / 1e3,
        calm(&overload.turns).count(),
        overload.turns.len(),
    )
}

fn overload_record(turn: &Turn<()>) -> Value {
    let of = |of: &Counted| {
        json!({ "per_second": of.per_second, "done": of.done, "non2xx": of.non2xx,
            "failed": of.failed, "p99_us": of.p99_us, "non2xx_p99_us": of.non2xx_p99_us })
    };
    json!({ "peak": of(&turn.before), "overload": of(&turn.under) })
}

fn settings(arguments: &Edge) -> String {
    format!(
        "Floods: {FLOODERS} clients, each with an address of its own and {} ms before it comes again; a bystander \
         with {} requests per second;\n{}\nTimes are the bystander's, medians over those turns, in microseconds; \
         everything that is counted is of all turns.\n\n",
        AGAIN.as_millis(),
        arguments.common.rate,
        turns::note(arguments.seconds, arguments.repeats),
    )
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
        "Requests of 400 fields of one byte each, 100 on a connection without a window: {} bytes sent, \
         {:.0} held, {:.1} per byte.\n\n",
        bomb.sent,
        bomb.held,
        ratio(bomb),
    )
}

fn floods_table(floods: &[Flood]) -> String {
    let mut table = "| flood | turns, calm | connections | turned away | MiB sent | bystander's requests | failed \
         | p50 without | p50 with | p99 without | p99 with |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for flood in floods {
        let sum = |figure: fn(&Turn<Sent>) -> f64| flood.turns.iter().map(figure).sum::<f64>();
        let figure = |figure: fn(&Turn<Sent>) -> f64| turns::middle(&flood.turns, figure);
        let _ = writeln!(
            table,
            "| {} | {}, {} | {} | {} | {:.1} | {} | {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            flood.name,
            flood.turns.len(),
            calm(&flood.turns).count(),
            sum(|turn| turn.attack.connections as f64),
            sum(|turn| turn.attack.turned_away),
            sum(|turn| turn.attack.bytes as f64) / f64::from(1 << 20),
            sum(|turn| turn.under.done as f64),
            failed(&flood.turns),
            figure(|turn| turn.before.p50_us),
            figure(|turn| turn.under.p50_us),
            figure(|turn| turn.before.p99_us),
            figure(|turn| turn.under.p99_us),
        );
    }
    table
}

fn flood_record(flood: &Flood) -> Value {
    let turns = flood.turns.iter().map(|turn| {
        json!({
            "without": counted(&turn.before),
            "with": counted(&turn.under),
            "connections": turn.attack.connections,
            "turned_away": turn.attack.turned_away,
            "bytes": turn.attack.bytes,
        })
    });
    json!({ "flood": flood.name, "turns": turns.collect::<Vec<_>>() })
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

    fn turn<A>(p99: [f64; 2], done: [u64; 2], non2xx: u64, lost: u64, attack: A) -> Turn<A> {
        let counted = |at: usize, non2xx, lost| Counted {
            done: done[at],
            failed: non2xx + lost,
            non2xx,
            non2xx_p99_us: 9_000.0,
            per_second: done[at] as f64,
            p99_us: p99[at],
            ..Counted::default()
        };
        Turn {
            before: counted(0, 0, 0),
            under: counted(1, non2xx, lost),
            attack,
        }
    }

    #[test]
    fn a_flood_may_cost_others_a_little_and_an_overload_a_tenth() {
        for (p99, lost, expected) in [
            ([500.0, 1_500.0], 0, [true, true]),
            ([500.0, 1_501.0], 0, [true, false]),
            ([500.0, 500.0], 1, [false, true]),
            ([500.0, f64::NAN], 0, [true, false]),
        ] {
            let turns = vec![turn(p99, [10, 10], 0, lost, Sent::default())];
            let flood = Flood {
                name: "PING",
                turns,
            };
            assert_eq!(
                flood_bounds(&flood).map(|bound| bound.holds),
                expected,
                "{p99:?} {lost}"
            );
        }
        for (done, lost, expected) in [
            ([800, 720], 0, [true, true, true]),
            ([800, 719], 0, [false, true, true]),
            ([800, 720], 1, [true, true, false]),
        ] {
            let [peak, good] = done;
            let mut overload = Overload {
                turns: vec![turn([1.0; 2], [peak, good + 1_000], 1_000, lost, ())],
            };
            let holds = |of: &Overload| overload_bounds(of).map(|bound| bound.holds);
            assert_eq!(holds(&overload), expected, "{done:?} {lost}");
            overload.turns[0].under.non2xx_p99_us = 10_001.0;
            assert!(!holds(&overload)[1]);
        }
    }
}
